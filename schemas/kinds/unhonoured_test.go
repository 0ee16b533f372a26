package kinds_test

import (
	"reflect"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/schemas/shape"
)

func TestTemplatesWarnAsPodsDo(t *testing.T) {
	pods := kinds.Table().ByResource(schemas.Pods).Unhonoured
	for _, r := range []schemas.Resource{schemas.Deployments, schemas.ReplicaSets} {
		templates := kinds.Table().ByResource(r).Unhonoured
		if len(templates) != len(pods) {
			t.Fatalf("%s has %d paths, pods %d", r, len(templates), len(pods))
		}
		for i := range pods {
			if templates[i] != "spec.template."+pods[i] {
				t.Errorf("%s: %s does not match %s", r, templates[i], pods[i])
			}
		}
	}
}

func TestUnhonouredPathsExist(t *testing.T) {
	for _, k := range kinds.Table().All() {
		used := map[string]bool{}
		shape.Leaves(reflect.TypeOf(k.New()), "", func(path string) bool { used[path] = true; return false }, func(string) {})
		for _, p := range k.Unhonoured {
			if !used[schemas.PlainPath(p)] {
				t.Errorf("%s: %s does not exist", k.Resource, p)
			}
		}
	}
}

func TestWarnings(t *testing.T) {
	yes, no, one := true, false, resource.MustParse("1")
	d := &appsv1.Deployment{}
	spec := &d.Spec.Template.Spec
	spec.DNSPolicy = corev1.DNSClusterFirst
	spec.SchedulerName = "mine"
	spec.SecurityContext = &corev1.PodSecurityContext{}
	spec.AutomountServiceAccountToken = &no
	spec.ShareProcessNamespace = &yes
	spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{CephFS: &corev1.CephFSVolumeSource{Path: "/"}}}}
	spec.Containers = []corev1.Container{{Name: "a", TerminationMessagePolicy: corev1.TerminationMessageReadFile}, {
		Name: "b", VolumeDevices: []corev1.VolumeDevice{{Name: "d"}},
		Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": one, "hugepages-2Mi": one, "x.io/gpu": one, "a.io/b": one, "c.io/none": {}}},
		Env:       []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{FileKeyRef: &corev1.FileKeySelector{Key: "k"}}}},
	}}
	want := []string{
		"spec.template.spec.volumes[0].cephfs",
		"spec.template.spec.containers[1].volumeDevices",
	}
	var got []string
	for _, w := range schemas.Warnings(kinds.Table().ByResource(schemas.Deployments), d) {
		got = append(got, w.Path)
		if w.Message == "" {
			t.Errorf("%s has no message", w.Path)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %s\nwant %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWarningsOfUnstructuredObjects(t *testing.T) {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"resourceClaims": []any{map[string]any{"name": "c"}}, "restartPolicy": "Always",
		"containers": []any{map[string]any{"name": "a"}, map[string]any{"volumeDevices": []any{map[string]any{"name": "d"}}}},
	}}}
	var got []string
	for _, w := range schemas.Warnings(kinds.Table().ByResource(schemas.Pods), u) {
		got = append(got, w.Path)
	}
	if want := []string{"spec.resourceClaims", "spec.containers[1].volumeDevices"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
