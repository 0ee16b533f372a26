package debug

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
)

// asCopy makes a copy of the pod with the new container in it.
func (c *Command) asCopy(ctx context.Context, s *session.Session, client *api.Client, pod *corev1.Pod) (*corev1.Pod, string, error) {
	next, name, err := c.copyOf(pod)
	if err != nil {
		return nil, "", err
	}
	if c.Replace {
		if err := client.Delete(ctx, schemas.RefOf(schemas.Pods, pod), metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(pod.UID))}); err != nil {
			return nil, "", err
		}
	}
	if c.Container == "" && c.Image != "" {
		c.say(s, "Defaulting debug container name to %s.", name)
	}
	return create(ctx, client, next, name)
}

// copyOf is the pod to make, and the container to join. Without labels no Service and no
// workload takes it for one of theirs, and without probes nothing restarts it meanwhile.
func (c *Command) copyOf(pod *corev1.Pod) (*corev1.Pod, string, error) {
	next := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: c.CopyTo, Namespace: pod.Namespace, Annotations: pod.Annotations},
		Spec:       *pod.Spec.DeepCopy(),
	}
	next.Spec.EphemeralContainers = nil
	if !c.SameNode {
		next.Spec.NodeName = ""
	}
	for i := range next.Spec.Containers {
		ct := &next.Spec.Containers[i]
		ct.LivenessProbe, ct.ReadinessProbe, ct.StartupProbe = nil, nil, nil
	}
	if err := c.setImages(next); err != nil {
		return nil, "", err
	}
	if c.Image == "" {
		return next, next.Spec.Containers[0].Name, nil
	}
	for i := range next.Spec.Containers { // an existing one is changed
		if ct := &next.Spec.Containers[i]; ct.Name == c.Container {
			ct.Image = c.Image
			if len(c.Command) > 0 {
				ct.Command, ct.Args = c.Command, nil
			}
			ct.Stdin, ct.TTY = c.Stdin, c.TTY
			return next, ct.Name, nil
		}
	}
	ct, err := c.container(next)
	if err != nil {
		return nil, "", err
	}
	next.Spec.Containers = append(next.Spec.Containers, *ct)
	if c.ShareProcesses {
		yes := true
		next.Spec.ShareProcessNamespace = &yes
	}
	return next, ct.Name, nil
}

func (c *Command) setImages(pod *corev1.Pod) error {
	for _, arg := range c.SetImage {
		name, image, ok := strings.Cut(arg, "=")
		if !ok || name == "" || image == "" {
			return failure.Usage("--set-image %q is not NAME=IMAGE", arg)
		}
		found := false
		for i := range pod.Spec.Containers {
			if ct := &pod.Spec.Containers[i]; ct.Name == name || name == "*" {
				ct.Image, found = image, true
			}
		}
		if !found {
			return fmt.Errorf("unable to find container named %q", name)
		}
	}
	return nil
}

// onNode makes a pod on the node that sees the node's processes, network and files.
func (c *Command) onNode(ctx context.Context, s *session.Session, client *api.Client, node *corev1.Node) (*corev1.Pod, string, error) {
	ct, err := c.container(nil)
	if err != nil {
		return nil, "", err
	}
	if c.Container == "" {
		ct.Name = "debugger"
	}
	ct.VolumeMounts = []corev1.VolumeMount{{Name: "host-root", MountPath: "/host"}}
	if c.Profile == "general" { // as kubectl: the host's namespaces, and no more rights
		ct.SecurityContext = nil
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: nodePod(node.Name), Namespace: string(s.Namespace())},
		Spec: corev1.PodSpec{
			NodeName: node.Name, HostNetwork: true, HostPID: true, HostIPC: true, RestartPolicy: corev1.RestartPolicyNever,
			Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			Containers:  []corev1.Container{*ct},
			Volumes:     []corev1.Volume{{Name: "host-root", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}},
		},
	}
	c.say(s, "Creating debugging pod %s with container %s on node %s.", pod.Name, ct.Name, node.Name)
	return create(ctx, client, pod, ct.Name)
}

// nodePod is a name for a pod, of at most 63 characters.
func nodePod(node string) string {
	const room = 63 - len("node-debugger--") - 5
	return "node-debugger-" + strings.TrimRight(node[:min(len(node), room)], "-.") + "-" + suffix()
}

func create(ctx context.Context, client *api.Client, pod *corev1.Pod, container string) (*corev1.Pod, string, error) {
	obj, err := client.Create(ctx, schemas.Pods, pod)
	if err != nil {
		return nil, "", err
	}
	out, ok := obj.(*corev1.Pod)
	if !ok {
		return nil, "", fmt.Errorf("the apiserver answered with %T", obj)
	}
	return out, container, nil
}
