package admit

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/defaults"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/services/apiserver/allot"
)

type classes []*schedulingv1.PriorityClass

func (c classes) Get(ref schemas.Ref) (schemas.Object, bool) {
	for _, one := range c {
		if schemas.Name(one.Name) == ref.Name {
			return one, true
		}
	}
	return nil, false
}

func (c classes) List(schemas.Resource, schemas.Namespace) (out []schemas.Object) {
	for _, one := range c {
		out = append(out, one)
	}
	return out
}

func TestPriority(t *testing.T) {
	never := v1.PreemptNever
	class := func(name string, value int32, global bool) *schedulingv1.PriorityClass {
		return &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Value: value, GlobalDefault: global, PreemptionPolicy: &never}
	}
	all := classes{class("high", 10, false), class("low", 1, true), class("lower", -1, true)}
	five := int32(5)
	for name, c := range map[string]struct {
		state classes
		spec  v1.PodSpec
		want  int32
		class string
		bad   bool
	}{
		"none":         {nil, v1.PodSpec{}, 0, "", false},
		"default":      {all, v1.PodSpec{}, -1, "lower", false},
		"named":        {all, v1.PodSpec{PriorityClassName: "high"}, 10, "high", false},
		"unknown":      {all, v1.PodSpec{PriorityClassName: "odd"}, 0, "", true},
		"other number": {all, v1.PodSpec{PriorityClassName: "high", Priority: &five}, 0, "", true},
	} {
		p := &v1.Pod{Spec: c.spec}
		err := priority(c.state, p)
		if c.bad {
			if !apierrors.IsForbidden(err) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || *p.Spec.Priority != c.want || p.Spec.PriorityClassName != c.class || p.Spec.PreemptionPolicy == nil {
			t.Errorf("%s: %v %+v", name, err, p.Spec)
		}
	}
}

func TestGenerateName(t *testing.T) {
	name := GenerateName(strings.Repeat("x", 80))
	if len(name) != maxGenerated {
		t.Errorf("generated %q", name)
	}
	if a, b := GenerateName("a-"), GenerateName("a-"); a == b {
		t.Errorf("generated %q twice", a)
	}
}

func TestServersOwnFields(t *testing.T) {
	k := kinds.Table().ByResource(schemas.ConfigMaps)
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	at := metav1.NewTime(now.Add(-time.Hour))
	obj := &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: "default", UID: "mine", Generation: 7, CreationTimestamp: at, DeletionTimestamp: &at}}
	made, err := Create(k, obj, now)
	if err != nil || made.GetUID() == "mine" || !made.GetCreationTimestamp().Time.Equal(now) || made.GetDeletionTimestamp() != nil {
		t.Fatalf("created %+v, %v", made, err)
	}
	made.SetResourceVersion("5")
	next := &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a", Generation: 9, DeletionTimestamp: &at}, Data: map[string]string{"k": "v"}}
	if err := Update(k, next, made); err != nil {
		t.Fatal(err)
	}
	if err := Changed(nil, allot.Ranges{}, k, next, made); err != nil {
		t.Fatal(err)
	}
	if next.UID != made.GetUID() || next.Generation != 0 || next.DeletionTimestamp != nil || next.ResourceVersion != "5" {
		t.Errorf("updated %+v", next.ObjectMeta)
	}
	next.ResourceVersion = "4"
	if err := Update(k, next, made); !apierrors.IsConflict(err) {
		t.Errorf("old resourceVersion: %v", err)
	}
}

// A pod's manifest that names tolerations can be applied again: what every pod gets is added then
// as it was at first.
func TestTolerationsStay(t *testing.T) {
	k := kinds.Table().ByResource(schemas.Pods)
	old := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: "default", UID: "u", ResourceVersion: "1"}}
	old.Spec = v1.PodSpec{Containers: []v1.Container{{Name: "c", Image: "x"}}, Tolerations: []v1.Toleration{{Key: "k", Operator: v1.TolerationOpExists}}}
	next := old.DeepCopy()
	k.Default(old)
	defaults.AddPodTolerations(old)
	if err := Changed(nil, allot.Ranges{}, k, next, old); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(keys(next), keys(old)) || len(keys(next)) != 3 {
		t.Errorf("tolerations are %v, were %v", keys(next), keys(old))
	}
}

func keys(p *v1.Pod) (out []string) {
	for _, t := range p.Spec.Tolerations {
		out = append(out, t.Key)
	}
	return out
}

// The status that an update keeps is the update's own: whoever reads the object that it was taken from
// reads on while defaults are set.
func TestStatusIsCopied(t *testing.T) {
	old := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}, Status: v1.NodeStatus{Capacity: v1.ResourceList{v1.ResourceCPU: resource.MustParse("1")}}}
	next := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}}
	SetStatus(next, old)
	next.Status.Capacity[v1.ResourceCPU] = resource.MustParse("2")
	if q := old.Status.Capacity[v1.ResourceCPU]; q.String() != "1" || len(next.Status.Capacity) != 1 {
		t.Errorf("the old object has %s", q.String())
	}
}

// Which changes of which kind count is as in the strategies of Kubernetes' registry.
func TestGenerations(t *testing.T) {
	label := func(o schemas.Object) { o.SetLabels(map[string]string{"a": "b"}) }
	annotate := func(o schemas.Object) { o.SetAnnotations(map[string]string{"a": "b"}) }
	for name, c := range map[string]struct {
		r       schemas.Resource
		content func(schemas.Object)
		// What is expected of a new object, of one with another label, annotation and content.
		want [4]int64
	}{
		"deployment": {schemas.Deployments, func(o schemas.Object) { o.(*appsv1.Deployment).Spec.MinReadySeconds = 1 }, [4]int64{1, 1, 2, 2}},
		"noted": {schemas.Deployments, func(o schemas.Object) {
			o.SetAnnotations(map[string]string{"deployment.kubernetes.io/revision": "2"})
		}, [4]int64{1, 1, 2, 1}},
		"replicaset":    {schemas.ReplicaSets, func(o schemas.Object) { o.(*appsv1.ReplicaSet).Spec.MinReadySeconds = 1 }, [4]int64{1, 1, 1, 2}},
		"pod":           {schemas.Pods, func(o schemas.Object) { o.(*v1.Pod).Spec.ActiveDeadlineSeconds = new(int64) }, [4]int64{1, 1, 1, 2}},
		"endpointslice": {schemas.EndpointSlices, func(o schemas.Object) { o.(*discoveryv1.EndpointSlice).Ports = make([]discoveryv1.EndpointPort, 1) }, [4]int64{1, 2, 1, 2}},
		"priorityclass": {schemas.PriorityClasses, func(o schemas.Object) { o.(*schedulingv1.PriorityClass).Description = "x" }, [4]int64{1, 1, 1, 1}},
		"csidriver":     {schemas.CSIDrivers, func(o schemas.Object) { o.(*storagev1.CSIDriver).Spec.PodInfoOnMount = ptr.To(true) }, [4]int64{0, 0, 0, 1}},
		"configmap":     {schemas.ConfigMaps, func(o schemas.Object) { o.(*v1.ConfigMap).Data = map[string]string{"a": "b"} }, [4]int64{}},
		"node":          {schemas.Nodes, func(o schemas.Object) { o.(*v1.Node).Spec.Unschedulable = true }, [4]int64{}},
		"service":       {schemas.Services, func(o schemas.Object) { o.(*v1.Service).Spec.ExternalName = "x" }, [4]int64{}},
	} {
		k := kinds.Table().ByResource(c.r)
		old, err := Create(k, k.New(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		got := [4]int64{old.GetGeneration()}
		for i, change := range []func(schemas.Object){label, annotate, c.content} {
			next := old.DeepCopyObject().(schemas.Object)
			change(next)
			next.SetGeneration(9)
			if err := Update(k, next, old); err != nil {
				t.Fatal(err)
			}
			countGeneration(k, next, old)
			got[i+1] = next.GetGeneration()
		}
		if got != c.want {
			t.Errorf("%s: generations %v, want %v", name, got, c.want)
		}
	}
}
