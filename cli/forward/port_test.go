package forward

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestParsePorts(t *testing.T) {
	p := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8080}}}}}}
	for arg, want := range map[string]string{
		"80": "[{80 80}]", "8000:80": "[{8000 80}]", ":80": "[{0 80}]", "web": "[{8080 8080}]", "1:web": "[{1 8080}]", "0:80": "[{0 80}]",
		"": "", ":": "", "0": "", "80:": "", "70000": "", "70000:80": "", "-1": "", "nosuch": "", "80:80:80": "", "web:80": "",
	} {
		got, err := parsePorts(p, nil, []string{arg})
		if (err != nil) != (want == "") || err == nil && fmt.Sprint(got) != want {
			t.Errorf("%q: %v, %v, want %s", arg, got, err, want)
		}
	}
}

// A service's ports lead to the pod's that they mean.
func TestPortsOfAService(t *testing.T) {
	p := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8080}}}}}}
	svc := &corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.2", Ports: []corev1.ServicePort{
		{Name: "http", Port: 80, TargetPort: intstr.FromString("web")}, {Name: "admin", Port: 81, TargetPort: intstr.FromInt32(9090)}, {Name: "odd", Port: 82, TargetPort: intstr.FromString("nosuch")}}}}
	for arg, want := range map[string]string{
		"80": "[{80 8080}]", "http": "[{80 8080}]", "5000:http": "[{5000 8080}]", ":admin": "[{0 9090}]", "81": "[{81 9090}]", "8080": "", "web": "", "82": "", "0": "",
	} {
		got, err := parsePorts(p, svc, []string{arg})
		if (err != nil) != (want == "") || err == nil && fmt.Sprint(got) != want {
			t.Errorf("%q: %v, %v, want %s", arg, got, err, want)
		}
	}
	svc.Spec.ClusterIP = corev1.ClusterIPNone
	if got, err := parsePorts(p, svc, []string{"81"}); err != nil || fmt.Sprint(got) != "[{81 81}]" {
		t.Errorf("headless: %v, %v", got, err)
	}
}

func TestResolve(t *testing.T) {
	got := fmt.Sprint(resolve([]string{"localhost", "0.0.0.0", "::", "10.0.0.1"}))
	if want := "[{tcp4 127.0.0.1 false} {tcp6 ::1 true} {tcp4 0.0.0.0 false} {tcp6 :: false} {tcp4 10.0.0.1 false}]"; got != want {
		t.Errorf("got %s", got)
	}
}
