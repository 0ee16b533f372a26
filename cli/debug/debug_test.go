package debug

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestCheck(t *testing.T) {
	for say, c := range map[string]Command{
		"":                    {Target: "web", Image: "i"},
		"must specify":        {Target: "web"},
		"target is a node":    {Target: "node/n1"},
		"--stdin is required": {Target: "web", Image: "i", TTY: true},
		"only be used with":   {Target: "web", Image: "i", SameNode: true},
		"is incompatible":     {Target: "web", Image: "i", CopyTo: "x", TargetContainer: "c"},
		"or --set-image":      {Target: "web", CopyTo: "x"},
		"not NAME=VALUE":      {Target: "web", Image: "i", Env: []string{"=x"}},
	} {
		err := c.check()
		if (err == nil) != (say == "") || err != nil && !strings.Contains(err.Error(), say) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func pod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "a", UID: "u", Labels: map[string]string{"app": "web"}, Annotations: map[string]string{"k": "v"}},
		Spec: corev1.PodSpec{NodeName: "n1", Containers: []corev1.Container{
			{Name: "main", Image: "web:1", LivenessProbe: &corev1.Probe{}}, {Name: "side", Image: "side:1", Args: []string{"x"}},
		}},
	}
}

func TestCopyOf(t *testing.T) {
	c := Command{CopyTo: "copy", Image: "busybox", Command: []string{"sh"}, ShareProcesses: true, Stdin: true, Container: "dbg", Env: []string{"A=b=c"}}
	next, name, err := c.copyOf(pod())
	if err != nil || name != "dbg" || next.Name != "copy" || next.UID != "" || len(next.Labels) > 0 || next.Annotations["k"] != "v" || next.Spec.NodeName != "" {
		t.Fatalf("%q, %v, %+v", name, err, next)
	}
	if cs := next.Spec.Containers; len(cs) != 3 || cs[0].LivenessProbe != nil || cs[2].Command[0] != "sh" || cs[2].Env[0].Value != "b=c" || !cs[2].Stdin || !*next.Spec.ShareProcessNamespace {
		t.Errorf("containers %+v", cs)
	}
	c = Command{CopyTo: "copy", Image: "side:2", Container: "side", Command: []string{"sh"}, SameNode: true, SetImage: []string{"main=web:2"}}
	next, name, err = c.copyOf(pod())
	if cs := next.Spec.Containers; err != nil || name != "side" || len(cs) != 2 || cs[0].Image != "web:2" || cs[1].Image != "side:2" || cs[1].Args != nil || next.Spec.NodeName != "n1" {
		t.Errorf("%v: %+v", err, next.Spec)
	}
	if _, _, err := (&Command{CopyTo: "copy", SetImage: []string{"nosuch=x"}}).copyOf(pod()); err == nil {
		t.Error("an image for a container that is not there")
	}
	if next, name, err = (&Command{CopyTo: "copy", SetImage: []string{"*=x"}}).copyOf(pod()); err != nil || name != "main" || next.Spec.Containers[1].Image != "x" {
		t.Errorf("all images: %v, %+v", err, next.Spec)
	}
	if _, err := (&Command{Image: "i", Container: "main"}).container(pod()); err == nil {
		t.Error("a name that is taken")
	}
}

func TestNodePod(t *testing.T) {
	for _, n := range []string{"n1", strings.Repeat("a.", 80)} {
		if got := nodePod(n); len(got) > 63 || !strings.HasPrefix(got, "node-debugger-") || strings.Contains(got, ".-") {
			t.Errorf("%s", got)
		}
	}
}
