package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// Pods lists the pods whose labels match.
func Pods(ctx context.Context, c *api.Client, ns schemas.Namespace, selector string) ([]*corev1.Pod, error) {
	objs, _, err := c.List(ctx, schemas.Pods, ns, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	var pods []*corev1.Pod
	for _, o := range objs {
		if p, ok := o.(*corev1.Pod); ok {
			pods = append(pods, p)
		}
	}
	return pods, nil
}

// ErrNoPods: the workload has none, or none yet.
var ErrNoPods = errors.New("no pods")

// PodsOf returns the pod that arg names ("web-1", "pod/web-1"), or the pods of the
// workload or service that it names ("deployment/web"), those that are ready first.
func PodsOf(ctx context.Context, c *api.Client, table *schemas.Table, ns schemas.Namespace, arg string) ([]*corev1.Pod, error) {
	_, pods, err := Behind(ctx, c, table, ns, arg)
	return pods, err
}

// Behind is PodsOf, with the object that was named.
func Behind(ctx context.Context, c *api.Client, table *schemas.Table, ns schemas.Namespace, arg string) (schemas.Object, []*corev1.Pod, error) {
	if !strings.Contains(arg, "/") {
		arg = "pods/" + arg
	}
	want, err := Parse(table, []string{arg})
	if err != nil {
		return nil, nil, err
	}
	found, err := One(ctx, c, want, ns)
	if err != nil {
		return nil, nil, err
	}
	var sel *metav1.LabelSelector
	switch o := found.Object.(type) {
	case *corev1.Pod:
		return o, []*corev1.Pod{o}, nil
	case *appsv1.Deployment:
		sel = o.Spec.Selector
	case *appsv1.ReplicaSet:
		sel = o.Spec.Selector
	case *corev1.Service:
		if len(o.Spec.Selector) == 0 {
			return nil, nil, fmt.Errorf("invalid service '%s': Service is defined without a selector", o.Name)
		}
		sel = &metav1.LabelSelector{MatchLabels: o.Spec.Selector}
	default:
		return nil, nil, fmt.Errorf("%s has no pods", found.Label())
	}
	selector, err := metav1.LabelSelectorAsSelector(sel)
	if err != nil {
		return nil, nil, fmt.Errorf("read selector of %s: %w", found.Label(), err)
	}
	pods, err := Pods(ctx, c, ns, selector.String())
	if err != nil {
		return nil, nil, err
	}
	if len(pods) == 0 {
		return nil, nil, fmt.Errorf("%s has %w", found.Label(), ErrNoPods)
	}
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int { return readiness(b) - readiness(a) })
	return found.Object, pods, nil
}

// readiness ranks pods: a placed one before others, a running one, a ready one first.
func readiness(p *corev1.Pod) int {
	n := 0
	if p.Spec.NodeName != "" {
		n++
	}
	if p.Status.Phase == corev1.PodRunning {
		n += 2
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			n += 4
		}
	}
	return n
}

// Container returns the name of the container that is meant: wanted, or the pod's
// default. Which one was chosen of several is said on w.
func Container(w io.Writer, p *corev1.Pod, wanted string) (string, error) {
	var names []string
	for _, c := range p.Spec.Containers {
		names = append(names, c.Name)
	}
	all := slices.Clone(names)
	for _, c := range p.Spec.InitContainers {
		all = append(all, c.Name)
	}
	for _, c := range p.Spec.EphemeralContainers {
		all = append(all, c.Name)
	}
	switch {
	case wanted != "" && slices.Contains(all, wanted):
		return wanted, nil
	case wanted != "":
		return "", fmt.Errorf("container %s is not valid for pod %s: it has %s", wanted, p.Name, strings.Join(all, ", "))
	case len(names) == 0:
		return "", fmt.Errorf("pod %s has no containers", p.Name)
	}
	if d := p.Annotations["kubectl.kubernetes.io/default-container"]; slices.Contains(names, d) {
		return d, nil
	}
	if len(all) > 1 {
		fmt.Fprintf(w, "Defaulted container %q out of: %s\n", names[0], strings.Join(all, ", "))
	}
	return names[0], nil
}
