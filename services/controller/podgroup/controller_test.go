package podgroup_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/clustertest"
	"github.com/skerry/skerry/services/controller/podgroup"
)

func groupOf(minCount int32) *schedulingv1beta1.PodGroup {
	g := &schedulingv1beta1.PodGroup{TypeMeta: metav1.TypeMeta{APIVersion: "scheduling.k8s.io/v1beta1", Kind: "PodGroup"}, ObjectMeta: metav1.ObjectMeta{Name: "ring", Namespace: "default"}}
	if minCount == 0 {
		g.Spec.SchedulingPolicy.Basic = &schedulingv1beta1.BasicSchedulingPolicy{}
	} else {
		g.Spec.SchedulingPolicy.Gang = &schedulingv1beta1.GangSchedulingPolicy{MinCount: minCount}
	}
	return g
}

func memberOf(group, name string) *corev1.Pod {
	p := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}}
	p.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: ptr.To(group)}
	return p
}

// world is a group, its pods, and the controller that concludes on it.
type world struct {
	*clustertest.World
	t   *testing.T
	ref schemas.Ref
}

func newWorld(t *testing.T, g *schedulingv1beta1.PodGroup) *world {
	w := &world{World: clustertest.New(t, 1), t: t}
	w.ref = schemas.RefOf(schemas.PodGroups, w.put(schemas.PodGroups, g))
	return w
}

func (w *world) put(r schemas.Resource, o schemas.Object) schemas.Object {
	w.t.Helper()
	out, err := w.Create(w.t.Context(), r, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) observe(name string, f func(*corev1.Pod)) {
	w.Observe(schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: schemas.Name(name)}, func(o schemas.Object) { f(o.(*corev1.Pod)) })
}

// concluded is the group's condition after a turn; a second one must write nothing.
func (w *world) concluded() string {
	w.t.Helper()
	if _, err := podgroup.New(w.Cluster()).Reconcile(w.t.Context(), w.ref); err != nil {
		w.t.Fatal(err)
	}
	before := w.Writes()
	if _, err := podgroup.New(w.Cluster()).Reconcile(w.t.Context(), w.ref); err != nil || w.Writes() != before {
		w.t.Errorf("a second turn writes again (%v)", err)
	}
	obj, _ := w.Get(w.ref)
	conditions := obj.(*schedulingv1beta1.PodGroup).Status.Conditions
	if len(conditions) == 0 {
		return ""
	}
	c := conditions[0]
	if len(conditions) != 1 || c.Type != "PodGroupInitiallyScheduled" || c.LastTransitionTime.IsZero() {
		w.t.Errorf("%+v", conditions)
	}
	return string(c.Status) + " " + c.Reason + ": " + c.Message
}

func unfit(message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: message}}
	}
}

// TestGang lives through a gang: nothing known, refused, placed, and short of pods later.
func TestGang(t *testing.T) {
	w := newWorld(t, groupOf(2))
	for _, p := range []*corev1.Pod{memberOf("ring", "b"), memberOf("ring", "a"), memberOf("ring", "c"), memberOf("other", "x")} {
		w.put(schemas.Pods, p)
	}
	expect := func(want string) {
		t.Helper()
		if got := w.concluded(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	expect("")
	w.observe("b", unfit("of b"))
	w.observe("a", unfit("of a"))
	w.observe("x", unfit("of another group"))
	expect("False Unschedulable: of a")
	place := func(name string) {
		w.Assign(schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: schemas.Name(name)}, "n1")
	}
	place("a")
	place("x")
	expect("False Unschedulable: of b")
	place("b")
	expect("True Scheduled: 2 of 3 pods have a node")
	w.observe("a", func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })
	w.observe("b", func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })
	w.observe("c", unfit("of c"))
	expect("True Scheduled: 0 of 1 pods have a node")
}

// TestBasic: without a gang the first pod with a node is enough.
func TestBasic(t *testing.T) {
	w := newWorld(t, groupOf(0))
	w.put(schemas.Pods, memberOf("ring", "a"))
	if got := w.concluded(); got != "" {
		t.Error(got)
	}
	w.Assign(schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: "a"}, "n1")
	if got := w.concluded(); got != "True Scheduled: 1 of 1 pods have a node" {
		t.Error(got)
	}
}

// TestKeys: what says nothing of where a group's pods are wakes nobody.
func TestKeys(t *testing.T) {
	k := podgroup.New(clustertest.New(t, 1).Cluster())
	p := memberOf("ring", "a")
	ref := schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: "a"}
	placed, loose, told := p.DeepCopy(), p.DeepCopy(), p.DeepCopy()
	placed.Spec.NodeName, loose.Spec.SchedulingGroup, told.Status.PodIP = "n1", nil, "10.0.0.1"
	for name, c := range map[string]struct {
		change view.Change
		want   int
	}{
		"made":          {view.Change{Type: view.Added, Ref: ref, Object: p}, 1},
		"placed":        {view.Change{Type: view.Modified, Ref: ref, Object: placed, Old: p}, 1},
		"gone":          {view.Change{Type: view.Deleted, Ref: ref, Object: placed, Old: placed}, 1},
		"its agent":     {view.Change{Type: view.Modified, Ref: ref, Object: told, Old: p}, 0},
		"without group": {view.Change{Type: view.Added, Ref: ref, Object: loose}, 0},
	} {
		if got := k.Keys(c.change); len(got) != c.want || c.want == 1 && got[0].Name != "ring" {
			t.Errorf("%s: %v", name, got)
		}
	}
}
