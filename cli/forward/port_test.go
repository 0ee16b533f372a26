package forward

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestParsePorts(t *testing.T) {
	p := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8080}}}}}}
	for arg, want := range map[string]string{
		"80": "[{80 80}]", "8000:80": "[{8000 80}]", ":80": "[{0 80}]", "web": "[{8080 8080}]", "1:web": "[{1 8080}]", "0:80": "[{0 80}]",
		"": "", ":": "", "0": "", "80:": "", "70000": "", "70000:80": "", "-1": "", "nosuch": "", "80:80:80": "", "web:80": "",
	} {
		got, err := parsePorts(p, []string{arg})
		if (err != nil) != (want == "") || err == nil && fmt.Sprint(got) != want {
			t.Errorf("%q: %v, %v, want %s", arg, got, err, want)
		}
	}
}

func TestResolve(t *testing.T) {
	got := fmt.Sprint(resolve([]string{"localhost", "0.0.0.0", "::", "10.0.0.1"}))
	if want := "[{tcp4 127.0.0.1 false} {tcp6 ::1 true} {tcp4 0.0.0.0 false} {tcp6 :: false} {tcp4 10.0.0.1 false}]"; got != want {
		t.Errorf("got %s", got)
	}
}
