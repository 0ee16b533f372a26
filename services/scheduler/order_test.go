package scheduler

import (
	"encoding/json"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
)

var ref = schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: "web"}

func desired(uid string, edit ...func(*v1.Pod)) *v1.Pod {
	p := &v1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default", UID: types.UID(uid)}}
	p.Spec.SchedulerName = v1.DefaultSchedulerName
	p.Spec.Containers = []v1.Container{{Name: "c", Image: "i"}}
	for _, e := range edit {
		e(p)
	}
	return p
}

func entry(t *testing.T, key bus.Key, rev store.Revision, v any) store.Entry {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return store.Entry{Key: key, Value: b, Revision: rev}
}

// decoded fills in the objects of parts, as the view does.
func decoded(t *testing.T, parts view.Parts) view.Parts {
	t.Helper()
	object := func(e store.Entry) schemas.Object {
		if e.Value == nil || e.Deleted {
			return nil
		}
		p := &v1.Pod{}
		if err := json.Unmarshal(e.Value, p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	parts.Order = view.DigestOf(parts.Assigned.Value)
	parts.Objects.Desired, parts.Objects.Assigned = object(parts.Desired), object(parts.Assigned)
	return parts
}

func TestPlanOrder(t *testing.T) {
	deleted := func(p *v1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }
	onN1 := bus.AssignedKey("n1", "default", "web")
	nowhere := bus.AssignedKey("", "default", "web")
	order := func(p *v1.Pod) store.Entry { return store.Entry{Key: onN1, Revision: 7, Value: encodeOrder(p, "n1")} }
	verdict := entry(t, nowhere, 5, v1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "u1"}})
	d := func(p *v1.Pod) store.Entry { return entry(t, bus.DesiredKey(ref), 3, p) }

	tests := []struct {
		name  string
		parts view.Parts
		place bool
		gated bool
		named bool       // it does not keep the orders
		ops   []store.Op // Key and Revision, and whether Value is nil
	}{
		{name: "nothing at all"},
		{name: "a new pod is placed", parts: view.Parts{Desired: d(desired("u1"))}, place: true},
		{name: "a pod with a verdict is placed again", parts: view.Parts{Desired: d(desired("u1")), Assigned: verdict}, place: true},
		{name: "an order that is right stays", parts: view.Parts{Desired: d(desired("u1")), Assigned: order(desired("u1"))}},
		{name: "an order follows the pod", parts: view.Parts{Desired: d(desired("u1", deleted)), Assigned: order(desired("u1"))},
			ops: []store.Op{{Key: onN1, Revision: 7, Value: []byte("x")}}},
		{name: "the pod is gone", parts: view.Parts{Assigned: order(desired("u1"))}, ops: []store.Op{{Key: onN1, Revision: 7}}},
		{name: "the name is used again", parts: view.Parts{Desired: d(desired("u2")), Assigned: order(desired("u1"))}, ops: []store.Op{{Key: onN1, Revision: 7}}},
		{name: "a marker is no order", parts: view.Parts{Desired: d(desired("u1")), Assigned: store.Entry{Key: onN1, Revision: 9, Deleted: true}}, place: true},
		{name: "nodeName by hand", parts: view.Parts{Desired: d(desired("u1", func(p *v1.Pod) { p.Spec.NodeName = "n1" })), Assigned: verdict},
			ops: []store.Op{{Key: nowhere, Revision: 5}, {Key: onN1, Value: []byte("x")}}},
		{name: "going and never placed", parts: view.Parts{Desired: d(desired("u1", deleted))}},
		{name: "gated", parts: view.Parts{Desired: d(desired("u1", func(p *v1.Pod) { p.Spec.SchedulingGates = []v1.PodSchedulingGate{{Name: "g"}} }))}, gated: true},
		{name: "another keeps the orders", parts: view.Parts{Assigned: order(desired("u1"))}, named: true},
		{name: "another keeps this order", parts: view.Parts{Desired: d(desired("u1", deleted)), Assigned: order(desired("u1"))}, named: true},
		{name: "another scheduler's", parts: view.Parts{Desired: d(desired("u1", func(p *v1.Pod) { p.Spec.SchedulerName = "mine" }))}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st, err := planOrder(ref, decoded(t, tt.parts), v1.DefaultSchedulerName, !tt.named)
			if err != nil {
				t.Fatal(err)
			}
			if (st.place != nil) != tt.place {
				t.Errorf("place: %v, want %v", st.place != nil, tt.place)
			}
			if (st.gated != nil) != tt.gated {
				t.Errorf("gated: %v, want %v", st.gated != nil, tt.gated)
			}
			if len(st.ops) != len(tt.ops) {
				t.Fatalf("ops %+v, want %+v", st.ops, tt.ops)
			}
			for i, op := range st.ops {
				want := tt.ops[i]
				if op.Key != want.Key || op.Revision != want.Revision || (op.Value == nil) != (want.Value == nil) {
					t.Errorf("op %d: %s@%d (value %v), want %s@%d (value %v)", i, op.Key, op.Revision, op.Value != nil, want.Key, want.Revision, want.Value != nil)
				}
			}
		})
	}
}

// TestPlanOrderIsDoneWhenApplied: after the planned write there is nothing to do.
func TestPlanOrderIsDoneWhenApplied(t *testing.T) {
	pod := desired("u1", func(p *v1.Pod) { p.Spec.NodeName = "n1" })
	parts := view.Parts{Desired: entry(t, bus.DesiredKey(ref), 3, pod)}
	st, err := planOrder(ref, decoded(t, parts), v1.DefaultSchedulerName, true)
	if err != nil || len(st.ops) != 1 {
		t.Fatalf("%+v, %v", st, err)
	}
	parts.Assigned = store.Entry{Key: st.ops[0].Key, Value: st.ops[0].Value, Revision: 4}
	if st, err = planOrder(ref, decoded(t, parts), v1.DefaultSchedulerName, true); err != nil || len(st.ops) != 0 || st.place != nil {
		t.Errorf("a second turn still plans %+v, %v", st, err)
	}
}

func TestVerdictIsWrittenOnce(t *testing.T) {
	now := metav1.NewTime(time.Unix(100, 0))
	op, changed := verdictOp(desired("u1"), store.Entry{}, verdict{reason: v1.PodReasonUnschedulable, message: "0/1 nodes are available: 1 Too many pods."}, now)
	if !changed || op.Revision != 0 {
		t.Fatalf("first verdict: %+v, changed %v", op, changed)
	}
	was := store.Entry{Key: op.Key, Value: op.Value, Revision: 4}
	if _, changed := verdictOp(desired("u1"), was, verdict{reason: v1.PodReasonUnschedulable, message: "0/1 nodes are available: 1 Too many pods."}, now); changed {
		t.Error("the same verdict is written again")
	}
	op, changed = verdictOp(desired("u1"), was, verdict{reason: v1.PodReasonUnschedulable, message: "0/1 nodes are available: 1 Insufficient cpu."}, metav1.NewTime(time.Unix(200, 0)))
	var p v1.Pod
	if err := json.Unmarshal(op.Value, &p); err != nil || !changed || op.Revision != 4 {
		t.Fatalf("new verdict: %+v, changed %v, %v", op, changed, err)
	}
	if c := p.Status.Conditions[0]; !c.LastTransitionTime.Equal(&now) || c.Reason != v1.PodReasonUnschedulable {
		t.Errorf("condition %+v: the transition was at %s", c, now)
	}
}

func TestQueue(t *testing.T) {
	q, t0 := newQueue(), time.Unix(1000, 0)
	a := item{ref: schemas.Ref{Resource: schemas.Pods, Name: "a"}}
	q.add(a)
	q.add(a)
	if due, _ := q.take(10, t0); len(due) != 1 {
		t.Fatalf("taken %v, want one", due)
	}
	q.putOff(a, false, t0)
	if due, next := q.take(10, t0.Add(2*time.Second)); len(due) != 0 || !next.Equal(t0.Add(flush)) {
		t.Errorf("nothing changed, but %v is due, next %s", due, next)
	}
	q.joined()
	if due, _ := q.take(10, t0.Add(2*time.Second)); len(due) != 0 {
		t.Errorf("another pod was placed, but %v is due", due)
	}
	q.changed()
	if due, _ := q.take(10, t0.Add(2*time.Second)); len(due) != 1 {
		t.Error("not due although something changed after its back-off")
	}
	q.putOff(a, true, t0)
	q.changed()
	if due, next := q.take(10, t0); len(due) != 0 || !next.Equal(t0.Add(2*firstWait)) {
		t.Errorf("before its second back-off %v is due, next %s", due, next)
	}
	if due, _ := q.take(10, t0.Add(2*firstWait)); len(due) != 1 {
		t.Error("not due after its back-off")
	}
	q.putOff(a, true, t0)
	q.take(10, t0.Add(time.Minute))
	q.joined()
	if due, _ := q.take(10, t0.Add(time.Minute)); len(due) != 1 {
		t.Error("not due although another pod was placed")
	}
	q.putOff(a, false, t0)
	q.hurry(a.ref)
	if due, _ := q.take(10, t0); len(due) != 1 {
		t.Error("not due although room was made for it")
	}
	q.add(a)
	q.forget(a.ref)
	if due, _ := q.take(10, t0); len(due) != 1 {
		t.Error("a change while it was looked at is forgotten")
	}
	q.forget(a.ref)
	if due, next := q.take(10, t0.Add(time.Hour)); len(due) != 0 || !next.IsZero() {
		t.Errorf("a forgotten pod is due: %v, %s", due, next)
	}
}

func TestQueueOrder(t *testing.T) {
	q := newQueue()
	for i, it := range []item{{priority: 0, made: 5}, {priority: 9, made: 9}, {priority: 9, made: 7}, {priority: 0, made: 1}} {
		it.ref = schemas.Ref{Resource: schemas.Pods, Name: schemas.Name([]string{"c", "b", "a", "d"}[i])}
		q.add(it)
	}
	due, next := q.take(3, time.Unix(10, 0))
	if len(due) != 3 || due[0].ref.Name != "a" || due[1].ref.Name != "b" || due[2].ref.Name != "d" || !next.Equal(time.Unix(10, 0)) {
		t.Errorf("taken %v, next %s", due, next)
	}
}
