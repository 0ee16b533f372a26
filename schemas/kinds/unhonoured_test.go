package kinds_test

import (
	"reflect"
	"regexp"
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

// honoured lists the fields of the pod spec that scheduler, admission and agent act
// on, below "spec". A path stands for all that is below it.
var honoured = strings.Fields(`
	restartPolicy terminationGracePeriodSeconds hostname hostNetwork
	nodeName nodeSelector
	affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution
	tolerations[].key tolerations[].value tolerations[].effect tolerations[].tolerationSeconds
	containers[].name containers[].image containers[].imagePullPolicy
	containers[].command containers[].args containers[].workingDir
	containers[].ports containers[].envFrom
	containers[].env[].name containers[].env[].value
	containers[].env[].valueFrom.fieldRef containers[].env[].valueFrom.resourceFieldRef
	containers[].env[].valueFrom.configMapKeyRef containers[].env[].valueFrom.secretKeyRef
	containers[].resizePolicy[].resourceName
	containers[].stdin containers[].tty
`)

// There are no Services whose addresses could be linked, and preemption policies mean
// nothing without a priority, which is warned about: nothing is ignored there.
var pointless = []string{"enableServiceLinks", "preemptionPolicy"}

var condition = regexp.MustCompile(`!=.*$|\[\^[^\]]*\]`)

// normal strips conditions off a path of Unhonoured.
func normal(pattern string) string {
	return condition.ReplaceAllStringFunc(pattern, func(s string) string {
		if strings.HasPrefix(s, "[") {
			return "[]"
		}
		return ""
	})
}

// leaves calls f with every path of t that has nothing below it, without following
// what covered says is dealt with.
func leaves(t reflect.Type, path string, covered func(path string) bool, leaf func(path string)) {
	if covered(path) {
		return
	}
	t = shape.Deref(t)
	switch {
	case shape.Opaque(t) || shape.Bytes(t):
		leaf(path)
	case t.Kind() == reflect.Struct:
		for _, f := range shape.Fields(t) {
			leaves(f.Type, strings.TrimPrefix(path+"."+f.Name, "."), covered, leaf)
		}
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Map:
		leaves(t.Elem(), path+"[]", covered, leaf)
	default:
		leaf(path)
	}
}

// Every field of the pod spec is either acted on or warned about: none is ignored in
// silence, and no list names a field that does not exist.
func TestNoPodFieldIsIgnoredInSilence(t *testing.T) {
	used := map[string]bool{}
	lists := map[string]string{}
	add := func(list, path string) {
		if other := lists[path]; other != "" {
			t.Errorf("%s is in the lists %s and %s", path, other, list)
		}
		lists[path] = list
	}
	for _, p := range honoured {
		add("honoured", p)
	}
	for _, p := range pointless {
		add("pointless", p)
	}
	pods := kinds.Table().ByResource(schemas.Pods)
	for _, p := range pods.Unhonoured {
		add("unhonoured", strings.TrimPrefix(normal(p), "spec."))
	}
	leaves(reflect.TypeFor[corev1.PodSpec](), "",
		func(path string) bool { used[path] = true; return lists[path] != "" },
		func(path string) { t.Errorf("spec.%s is neither honoured nor warned about", path) })
	for path, list := range lists {
		if !used[path] {
			t.Errorf("%s is in the list %s, but there is no such field, or a shorter path covers it", path, list)
		}
	}
}

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
		leaves(reflect.TypeOf(k.New()), "", func(path string) bool { used[path] = true; return false }, func(string) {})
		for _, p := range k.Unhonoured {
			if !used[normal(p)] {
				t.Errorf("%s: %s does not exist", k.Resource, p)
			}
		}
	}
}

func TestWarnings(t *testing.T) {
	yes, no, one := true, false, resource.MustParse("1")
	probe := &corev1.Probe{}
	probe.PeriodSeconds = 3
	d := &appsv1.Deployment{}
	spec := &d.Spec.Template.Spec
	spec.DNSPolicy = corev1.DNSClusterFirst
	spec.SchedulerName = "mine"
	spec.SecurityContext = &corev1.PodSecurityContext{}
	spec.AutomountServiceAccountToken = &no
	spec.ShareProcessNamespace = &yes
	spec.Volumes = []corev1.Volume{{Name: "v"}}
	spec.Containers = []corev1.Container{{Name: "a", TerminationMessagePolicy: corev1.TerminationMessageReadFile}, {
		Name: "b", LivenessProbe: probe,
		Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": one, "x.io/gpu": one, "a.io/b": one, "c.io/none": {}}},
		Env:       []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{FileKeyRef: &corev1.FileKeySelector{Key: "k"}}}},
	}}
	want := []string{
		"spec.template.spec.volumes",
		"spec.template.spec.shareProcessNamespace",
		"spec.template.spec.schedulerName",
		"spec.template.spec.containers[1].livenessProbe",
		"spec.template.spec.containers[1].env[0].valueFrom.fileKeyRef",
		"spec.template.spec.containers[1].resources.limits[a.io/b]",
		"spec.template.spec.containers[1].resources.limits[x.io/gpu]",
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
		"dnsPolicy": "None", "restartPolicy": "Always",
		"containers": []any{map[string]any{"name": "a"}, map[string]any{"stdinOnce": true}},
	}}}
	var got []string
	for _, w := range schemas.Warnings(kinds.Table().ByResource(schemas.Pods), u) {
		got = append(got, w.Path)
	}
	if want := []string{"spec.dnsPolicy", "spec.containers[1].stdinOnce"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
