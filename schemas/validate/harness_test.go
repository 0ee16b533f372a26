package validate_test

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas/defaults"
	"github.com/skerry/skerry/schemas/validate"
)

const (
	invalid     = field.ErrorTypeInvalid
	required    = field.ErrorTypeRequired
	unsupported = field.ErrorTypeNotSupported
	forbidden   = field.ErrorTypeForbidden
	duplicate   = field.ErrorTypeDuplicate
	notFound    = field.ErrorTypeNotFound
	tooLong     = field.ErrorTypeTooLong
	tooMany     = field.ErrorTypeTooMany
)

// fault is an expected error; detail is a key part of its text.
type fault struct {
	typ    field.ErrorType
	path   string
	detail string
}

// expect fails unless got is exactly want, in any order.
func expect(t *testing.T, got field.ErrorList, want ...fault) {
	t.Helper()
	rest := append(field.ErrorList(nil), got...)
	for _, w := range want {
		found := -1
		for i, e := range rest {
			if e.Type == w.typ && e.Field == w.path && strings.Contains(e.Error(), w.detail) {
				found = i
				break
			}
		}
		if found < 0 {
			t.Errorf("missing: %s at %s with %q\nhave:\n%s", w.typ, w.path, w.detail, lines(got))
			continue
		}
		rest = append(rest[:found:found], rest[found+1:]...)
	}
	if len(rest) > 0 {
		t.Errorf("not expected:\n%s", lines(rest))
	}
}

func lines(errs field.ErrorList) string {
	var b strings.Builder
	for _, e := range errs {
		b.WriteString("  " + e.Error() + "\n")
	}
	return b.String()
}

// one is the usual expectation: a single fault.
func one(typ field.ErrorType, path, detail string) []fault { return []fault{{typ, path, detail}} }

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: "default", ResourceVersion: "1"}
}

// goodPod is a valid pod with its defaults, which uses many of the spec's parts.
func goodPod() *v1.Pod {
	p := &v1.Pod{
		ObjectMeta: meta("web"),
		Spec: v1.PodSpec{
			Volumes: []v1.Volume{
				{Name: "data"},
				{Name: "conf", VolumeSource: v1.VolumeSource{ConfigMap: &v1.ConfigMapVolumeSource{LocalObjectReference: v1.LocalObjectReference{Name: "conf"}}}},
			},
			Containers: []v1.Container{{
				Name: "app", Image: "example.com/app:1",
				Ports:        []v1.ContainerPort{{Name: "http", ContainerPort: 80}},
				VolumeMounts: []v1.VolumeMount{{Name: "data", MountPath: "/data"}, {Name: "conf", MountPath: "/etc/app", SubPath: "app.conf"}},
				Resources: v1.ResourceRequirements{
					Requests: v1.ResourceList{v1.ResourceCPU: resource.MustParse("100m")},
					Limits:   v1.ResourceList{v1.ResourceCPU: resource.MustParse("1"), v1.ResourceMemory: resource.MustParse("64Mi")},
				},
				LivenessProbe: &v1.Probe{ProbeHandler: v1.ProbeHandler{TCPSocket: &v1.TCPSocketAction{}}},
			}},
			InitContainers: []v1.Container{{Name: "setup", Image: "example.com/setup:1"}},
		},
	}
	p.Spec.Containers[0].LivenessProbe.TCPSocket.Port.IntVal = 80
	defaults.Pod(p)
	return p
}

func goodDeployment() *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: meta("web"),
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			Template: v1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
				Spec:       v1.PodSpec{Containers: []v1.Container{{Name: "app", Image: "app"}}},
			},
		},
	}
	defaults.Deployment(d)
	return d
}

// podCase changes a good pod and says what is wrong with it then.
type podCase struct {
	name   string
	change func(*v1.Pod)
	want   []fault
}

func runPods(t *testing.T, cases []podCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := goodPod()
			c.change(p)
			before := p.DeepCopy()
			expect(t, validate.Pod(p), c.want...)
			if !equalJSON(t, p, before) {
				t.Error("validation changed the pod")
			}
		})
	}
}

// app is the pod's only regular container.
func app(p *v1.Pod) *v1.Container { return &p.Spec.Containers[0] }

// appAt is a path in it.
func appAt(path string) string { return "spec.containers[0]" + path }
