package launch

import (
	"encoding/json"
	"fmt"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"

	"github.com/skerry/skerry/cli/failure"
)

// pod is the pod as the flags say.
func (c *Command) pod() (*corev1.Pod, error) {
	ct := corev1.Container{
		Name: c.Name, Image: c.Image, ImagePullPolicy: corev1.PullPolicy(c.PullPolicy),
		Stdin: c.Stdin, StdinOnce: c.Stdin && !c.Leave, TTY: c.TTY, Args: c.Args,
	}
	if c.Command {
		ct.Command, ct.Args = c.Args, nil
	}
	err := pairs("--env", c.Env, func(name, value string) { ct.Env = append(ct.Env, corev1.EnvVar{Name: name, Value: value}) })
	if err != nil {
		return nil, err
	}
	var annotations map[string]string
	if len(c.Annotations) > 0 {
		annotations = map[string]string{}
	}
	if err := pairs("--annotations", c.Annotations, func(key, value string) { annotations[key] = value }); err != nil {
		return nil, err
	}
	if c.Port != 0 {
		ct.Ports = []corev1.ContainerPort{{ContainerPort: c.Port}}
	}
	if c.Privileged {
		ct.SecurityContext = &corev1.SecurityContext{Privileged: &c.Privileged}
	}
	labels := c.Labels
	if len(labels) == 0 {
		labels = map[string]string{"run": c.Name}
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: c.Name, Labels: labels, Annotations: annotations},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{ct}, RestartPolicy: corev1.RestartPolicy(c.Restart), DNSPolicy: corev1.DNSClusterFirst},
	}
	return c.overridden(pod)
}

// pairs calls each with what stands on both sides of "=".
func pairs(flag string, list []string, each func(name, value string)) error {
	for _, e := range list {
		name, value, ok := strings.Cut(e, "=")
		if !ok || name == "" {
			return failure.Usage("%s %q is not NAME=VALUE", flag, e)
		}
		each(name, value)
	}
	return nil
}

// overridden is pod with --overrides.
func (c *Command) overridden(pod *corev1.Pod) (*corev1.Pod, error) {
	if c.Overrides == "" {
		return pod, nil
	}
	patch, err := yaml.YAMLToJSON([]byte(c.Overrides))
	if err != nil {
		return nil, failure.Usage("invalid --overrides: %w", err)
	}
	before, err := json.Marshal(pod)
	if err != nil {
		return nil, fmt.Errorf("encode pod: %w", err)
	}
	var after []byte
	switch c.OverrideType {
	case "merge":
		after, err = jsonpatch.MergePatch(before, patch)
	case "strategic":
		after, err = strategicpatch.StrategicMergePatch(before, patch, corev1.Pod{})
	default:
		var p jsonpatch.Patch
		if p, err = jsonpatch.DecodePatch(patch); err == nil {
			after, err = p.Apply(before)
		}
	}
	out := &corev1.Pod{}
	if err == nil {
		err = json.Unmarshal(after, out)
	}
	if err != nil {
		return nil, failure.Usage("invalid --overrides: %w", err)
	}
	return out, nil
}
