package env

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/skerry/skerry/services/agent/member"
)

// field is the value of a fieldRef.
func field(p *v1.Pod, n Node, path string) (string, error) {
	if name, key, ok := subscript(path); ok {
		switch name {
		case "metadata.annotations":
			return p.Annotations[key], nil
		case "metadata.labels":
			return p.Labels[key], nil
		}
		return "", fmt.Errorf("fieldPath %q does not take a subscript", path)
	}
	switch path {
	case "metadata.name":
		return p.Name, nil
	case "metadata.namespace":
		return p.Namespace, nil
	case "metadata.uid":
		return string(p.UID), nil
	case "metadata.labels":
		return pairs(p.Labels), nil
	case "metadata.annotations":
		return pairs(p.Annotations), nil
	case "spec.nodeName":
		return string(n.Name), nil
	case "spec.serviceAccountName":
		return p.Spec.ServiceAccountName, nil
	case "status.hostIP":
		return first(n.HostIPs), nil
	case "status.hostIPs":
		return strings.Join(n.HostIPs, ","), nil
	case "status.podIP":
		return first(n.PodIPs), nil
	case "status.podIPs":
		return strings.Join(n.PodIPs, ","), nil
	}
	return "", fmt.Errorf("unsupported fieldPath: %s", path)
}

// NeedsPodIP tells whether c's environment cannot be made before the pod has its address.
func NeedsPodIP(c *v1.Container) bool {
	return slices.ContainsFunc(c.Env, func(e v1.EnvVar) bool {
		return e.ValueFrom != nil && e.ValueFrom.FieldRef != nil &&
			strings.HasPrefix(e.ValueFrom.FieldRef.FieldPath, "status.podIP")
	})
}

// Field is the value of a fieldRef in a file of a volume.
func Field(p *v1.Pod, n Node, path string) (string, error) { return field(p, n, path) }

// ResourceField is the value of a resourceFieldRef, which names its container, in a file of a volume.
func ResourceField(p *v1.Pod, n Node, r *v1.ResourceFieldSelector) (string, error) {
	for _, cs := range [][]v1.Container{p.Spec.Containers, p.Spec.InitContainers} {
		if i := slices.IndexFunc(cs, func(c v1.Container) bool { return c.Name == r.ContainerName }); i >= 0 {
			return resourceField(p, &cs[i], n, r)
		}
	}
	return "", fmt.Errorf("container %s not found", r.ContainerName)
}

func first(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}

// subscript splits metadata.labels['key'].
func subscript(path string) (name, key string, ok bool) {
	name, rest, found := strings.Cut(path, "['")
	if !found {
		return "", "", false
	}
	return name, strings.TrimSuffix(rest, "']"), strings.HasSuffix(rest, "']")
}

func pairs(m map[string]string) string {
	lines := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		lines = append(lines, k+"="+strconv.Quote(m[k]))
	}
	return strings.Join(lines, "\n")
}

// resourceField is the value of a resourceFieldRef: the container's request or
// limit in units of the divisor, rounded up. Without a limit it is what the node can give.
func resourceField(p *v1.Pod, c *v1.Container, n Node, r *v1.ResourceFieldSelector) (string, error) {
	if r.ContainerName != "" && r.ContainerName != c.Name {
		other, ok := member.Find(p, r.ContainerName)
		if !ok {
			return "", fmt.Errorf("container %s not found", r.ContainerName)
		}
		c = other.Container
	}
	side, name, _ := strings.Cut(r.Resource, ".")
	var q resource.Quantity
	switch side {
	case "limits":
		var ok bool
		if q, ok = c.Resources.Limits[v1.ResourceName(name)]; !ok {
			q = n.Allocatable[v1.ResourceName(name)]
		}
	case "requests":
		q = c.Resources.Requests[v1.ResourceName(name)]
	default:
		return "", fmt.Errorf("unsupported container resource: %s", r.Resource)
	}
	divisor := r.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	if name == "cpu" {
		return strconv.FormatInt(ceil(q.MilliValue(), divisor.MilliValue()), 10), nil
	}
	return strconv.FormatInt(ceil(q.Value(), divisor.Value()), 10), nil
}

func ceil(a, b int64) int64 {
	if b == 0 {
		return a
	}
	return int64(math.Ceil(float64(a) / float64(b)))
}
