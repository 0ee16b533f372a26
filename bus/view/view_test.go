package view_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
)

func table() *schemas.Table {
	kind := func(r schemas.Resource, name string, w schemas.StatusWriter, obj func() schemas.Object) *schemas.Kind {
		return &schemas.Kind{Resource: r, Version: "v1", Kind: name, StatusWriter: w, New: obj}
	}
	return schemas.NewTable(
		kind(schemas.Pods, "Pod", schemas.StatusAgent, func() schemas.Object { return &corev1.Pod{} }),
		kind(schemas.Nodes, "Node", schemas.StatusAgent, func() schemas.Object { return &corev1.Node{} }),
		kind(schemas.ReplicaSets, "ReplicaSet", schemas.StatusController, func() schemas.Object { return &appsv1.ReplicaSet{} }),
	)
}

// rig is a running view over a fresh bucket, with a record of what handlers got.
type rig struct {
	t    *testing.T
	ctx  context.Context
	bus  *bustest.Bus
	s    *store.Store
	view *view.View

	mu  sync.Mutex
	log []string
}

func start(t *testing.T) *rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	b := bustest.Start(t).Provisioned(t)
	conn := b.Conn(t, "system:controller")
	r := &rig{t: t, ctx: ctx, bus: b, s: store.New(conn, bus.BucketState), view: view.New(conn, table())}
	r.view.Handle(r.note)
	done := make(chan error, 1)
	go func() { done <- r.view.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("run returned %v", err)
		}
	})
	if err := r.view.WaitSynced(ctx); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) note(c view.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf("%s %s", [...]string{"added", "modified", "deleted"}[c.Type], c.Ref))
}

// changes returns what handlers got since the last call.
func (r *rig) changes() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := strings.Join(r.log, ", ")
	r.log = nil
	return s
}

// apply writes and waits until the view has it.
func (r *rig) apply(ops ...store.Op) store.Revision {
	r.t.Helper()
	rev, err := r.s.Apply(r.ctx, ops...)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.view.WaitFor(r.ctx, rev); err != nil {
		r.t.Fatal(err)
	}
	return rev
}

func (r *rig) want(changes string) {
	r.t.Helper()
	if got := r.changes(); got != changes {
		r.t.Errorf("changes: got %q, want %q", got, changes)
	}
}

func value(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func pod(name, uid, node string, phase corev1.PodPhase, owners ...types.UID) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(uid)}}
	p.Spec.NodeName, p.Status.Phase = node, phase
	for _, o := range owners {
		p.OwnerReferences = append(p.OwnerReferences, metav1.OwnerReference{UID: o})
	}
	return p
}

var podA = schemas.Ref{Resource: schemas.Pods, Namespace: "ns", Name: "a"}

func (r *rig) pod(ref schemas.Ref) *corev1.Pod {
	r.t.Helper()
	o, ok := r.view.Get(ref)
	p, isPod := o.(*corev1.Pod)
	if !ok || !isPod {
		r.t.Fatalf("get %s: %v", ref, o)
	}
	return p
}

func TestLifeOfAPod(t *testing.T) {
	r := start(t)
	assigned, observed := bus.AssignedKey("n1", "ns", "a"), bus.ObservedPodKey("n1", "ns", "a")
	verdict := bus.AssignedKey("", "ns", "a")

	created := r.apply(store.Op{Key: bus.DesiredKey(podA), Value: value(pod("a", "u1", "", "", "owner"))})
	r.want("added pods ns/a")
	if p := r.pod(podA); p.Status.Phase != corev1.PodPending || p.ResourceVersion != strconv.Itoa(int(created)) || p.Kind != "Pod" {
		t.Errorf("created: %+v", p)
	}
	unplaced := r.apply(store.Op{Key: verdict, Value: value(pod("a", "u1", "", ""))})
	r.want("modified pods ns/a")
	r.apply(store.Op{Key: verdict, Revision: unplaced}, store.Op{Key: assigned, Value: value(pod("a", "u1", "n1", ""))})
	r.want("modified pods ns/a, modified pods ns/a")
	seen := r.apply(store.Op{Key: observed, Value: value(pod("a", "u1", "", corev1.PodRunning))})
	r.want("modified pods ns/a")
	r.apply(store.Op{Key: bus.ObservedPodKey("n2", "ns", "a"), Value: value(pod("a", "u1", "", corev1.PodFailed))})
	r.want("")
	if p := r.pod(podA); p.Status.Phase != corev1.PodRunning || p.Spec.NodeName != "n1" || p.ResourceVersion != strconv.Itoa(int(seen)) {
		t.Errorf("running: %+v", p)
	}
	if on := r.view.PodsOn("n1"); len(on) != 1 || len(r.view.PodsOn("")) != 0 {
		t.Errorf("pods on n1: %v", on)
	}
	if owned := r.view.OwnedBy("owner"); len(owned) != 1 || owned[0] != podA {
		t.Errorf("owned: %v", owned)
	}
	parts := r.view.Parts(podA)
	if parts.Desired.Revision != created || parts.Assigned.Key != assigned || parts.Observed.Revision != seen || parts.Current.Key != "" || parts.Objects.Assigned.GetUID() != "u1" {
		t.Errorf("parts: %+v", parts)
	}
	lean := r.view.Entries(podA)
	if parts.Objects = lean.Objects; !reflect.DeepEqual(lean, parts) || lean.Objects.Desired != nil || lean.Objects.Assigned != nil {
		t.Errorf("entries: %+v, parts: %+v", lean, parts)
	}

	// Taking a part away is a change with a revision of its own.
	gone := r.apply(store.Op{Key: observed, Revision: seen})
	if p := r.pod(podA); p.Status.Phase != corev1.PodPending || p.ResourceVersion != strconv.Itoa(int(gone)) {
		t.Errorf("observed gone: %+v", p)
	}
	r.changes()
	r.apply(store.Op{Key: bus.DesiredKey(podA), Revision: created})
	r.want("deleted pods ns/a")
	if _, ok := r.view.Get(podA); ok || len(r.view.List(schemas.Pods, "")) != 0 || len(r.view.OwnedBy("owner")) != 0 || len(r.view.PodsOn("n1")) != 0 {
		t.Error("the pod is still there")
	}
	orphans := r.view.Orphans()
	if len(orphans) != 2 || orphans[0].Key != assigned || orphans[0].Prefix != bus.PrefixAssigned || orphans[0].UID != "u1" || orphans[1].Node != "n2" {
		t.Errorf("orphans: %+v", orphans)
	}
	r.apply(store.Op{Key: orphans[0].Key, Revision: orphans[0].Revision}, store.Op{Key: orphans[1].Key, Revision: orphans[1].Revision})
	if o := r.view.Orphans(); len(o) != 0 {
		t.Errorf("orphans that are left: %+v", o)
	}
}

func TestPartsBeforeTheObject(t *testing.T) {
	r := start(t)
	assigned, observed := bus.AssignedKey("n1", "ns", "a"), bus.ObservedPodKey("n1", "ns", "a")
	r.apply(store.Op{Key: observed, Value: value(pod("a", "u2", "", corev1.PodRunning))})
	r.apply(store.Op{Key: assigned, Value: value(pod("a", "u2", "n1", ""))})
	r.want("")
	if p := r.view.Parts(podA); p.Assigned.Key != assigned || p.Observed.Key != observed {
		t.Errorf("parts of a ghost: %+v", p)
	}
	if o := r.view.Orphans(); len(o) != 2 {
		t.Errorf("ghost's orphans: %+v", o)
	}
	first := r.apply(store.Op{Key: bus.DesiredKey(podA), Value: value(pod("a", "u1", "", ""))})
	if p := r.pod(podA); p.Status.Phase != corev1.PodPending || p.Spec.NodeName != "" {
		t.Errorf("parts of another uid joined: %+v", p)
	}
	if o := r.view.Orphans(); len(o) != 2 {
		t.Errorf("orphans of another uid: %+v", o)
	}
	if o := r.view.Orphans(bus.PrefixCurrent); len(o) != 0 {
		t.Errorf("conclusions without an object: %+v", o)
	}
	current := r.apply(store.Op{Key: bus.CurrentKey(podA), Value: value(pod("a", "u0", "", ""))})
	if o := r.view.Orphans(bus.PrefixCurrent); len(o) != 1 || o[0].Key != bus.CurrentKey(podA) || o[0].UID != "u0" || o[0].Ref != podA {
		t.Errorf("conclusions without an object: %+v", o)
	}
	if o := r.view.Orphans(bus.PrefixObserved, bus.PrefixCurrent); len(o) != 2 || o[0].Prefix != bus.PrefixCurrent || o[1].Key != observed {
		t.Errorf("under two prefixes: %+v", o)
	}
	r.apply(store.Op{Key: bus.CurrentKey(podA), Revision: current})
	if o := r.view.Orphans(bus.PrefixCurrent); len(o) != 0 || len(r.view.Orphans()) != 2 {
		t.Errorf("the conclusion is gone: %+v", o)
	}
	r.changes()
	r.apply(store.Op{Key: bus.DesiredKey(podA), Revision: first, Value: value(pod("a", "u2", "", ""))})
	r.want("deleted pods ns/a, added pods ns/a")
	if p := r.pod(podA); p.Status.Phase != corev1.PodRunning || p.Spec.NodeName != "n1" {
		t.Errorf("joined: %+v", p)
	}
	if o := r.view.Orphans(); len(o) != 0 {
		t.Errorf("orphans: %+v", o)
	}
}

// TestOddKeys: what the view does not understand is skipped, moves its revision on,
// and never looks like a deletion.
func TestOddKeys(t *testing.T) {
	r := start(t)
	first := r.apply(store.Op{Key: bus.DesiredKey(podA), Value: value(pod("a", "u1", "", ""))})
	r.changes()
	r.apply(store.Op{Key: "desired.widgets.ns.w", Value: []byte("{}")})
	odd := r.apply(store.Op{Key: "later.version", Value: []byte("x")})
	r.apply(store.Op{Key: "later.version", Revision: odd})
	broken := r.apply(store.Op{Key: bus.DesiredKey(podA), Revision: first, Value: []byte(`{"metadata": 7`)})
	if p := r.pod(podA); p.UID != "u1" {
		t.Errorf("after a value that cannot be decoded: %+v", p)
	}
	if p := r.view.Parts(podA); p.Desired.Revision != broken {
		t.Errorf("parts: %+v", p)
	}
	if err := r.view.WaitFor(r.ctx, broken); err != nil || r.view.Revision() != broken {
		t.Errorf("view is at %d (%v)", r.view.Revision(), err)
	}
	short, cancel := context.WithTimeout(r.ctx, 10*time.Millisecond)
	defer cancel()
	if err := r.view.WaitFor(short, broken+1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for the future: %v", err)
	}
}

func TestListAndHandle(t *testing.T) {
	r := start(t)
	for _, k := range []string{"b.z", "a.b", "b.a", "a.a"} {
		ns, name, _ := strings.Cut(k, ".")
		rs := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, UID: types.UID(k)}}
		ref := schemas.RefOf(schemas.ReplicaSets, rs)
		r.apply(store.Op{Key: bus.DesiredKey(ref), Value: value(rs)})
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", UID: "n"}}
	node.Status.Conditions = []corev1.NodeCondition{{Type: "Ready", Status: "True"}}
	r.apply(store.Op{Key: bus.ObservedNodeKey("n1"), Value: value(node)},
		store.Op{Key: bus.DesiredKey(schemas.Ref{Resource: schemas.Nodes, Name: "n1"}), Value: value(node)})
	names := func(os []schemas.Object) (s string) {
		for _, o := range os {
			s += o.GetNamespace() + "/" + o.GetName() + " "
		}
		return s
	}
	if got := names(r.view.List(schemas.ReplicaSets, "")); got != "a/a a/b b/a b/z " {
		t.Errorf("all: %s", got)
	}
	if got := names(r.view.List(schemas.ReplicaSets, "b")); got != "b/a b/z " {
		t.Errorf("one namespace: %s", got)
	}
	nodes := r.view.List(schemas.Nodes, "")
	if n, ok := nodes[0].(*corev1.Node); len(nodes) != 1 || !ok || len(n.Status.Conditions) != 1 {
		t.Errorf("nodes: %v", nodes)
	}
	var got []view.Change
	stop := r.view.Handle(func(c view.Change) { got = append(got, c) })
	if len(got) != 5 || got[0].Type != view.Added || got[0].Ref.Name != "z" {
		t.Errorf("replayed: %v", got)
	}
	stop()
	r.apply(store.Op{Key: bus.DesiredKey(podA), Value: value(pod("a", "u1", "", ""))})
	if len(got) != 5 {
		t.Error("called after cancel")
	}
}

func TestSurvivesRestart(t *testing.T) {
	r := start(t)
	rev := r.apply(store.Op{Key: bus.DesiredKey(podA), Value: value(pod("a", "u1", "", ""))})
	r.bus.Restart(t)
	conn := r.bus.Conn(t, "system:apiserver")
	rev, err := store.New(conn, bus.BucketState).Update(r.ctx, bus.DesiredKey(podA), value(pod("a", "u1", "n9", "")), rev)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.view.WaitFor(r.ctx, rev); err != nil {
		t.Fatal(err)
	}
	if p := r.pod(podA); p.Spec.NodeName != "n9" {
		t.Errorf("after the restart: %+v", p)
	}
	r.want("added pods ns/a, modified pods ns/a")
}

// A handler that comes late is told of what is there piece by piece: changes go on meanwhile,
// and what it knows in the end is what there is.
func TestHandleLate(t *testing.T) {
	r := start(t)
	ref := func(i int) schemas.Ref {
		return schemas.Ref{Resource: schemas.Pods, Namespace: "ns", Name: schemas.Name(fmt.Sprint("p", i))}
	}
	const n = 200 // some pieces
	revs := make([]store.Revision, n)
	for i := range n {
		revs[i] = r.apply(store.Op{Key: bus.DesiredKey(ref(i)), Value: value(pod(string(ref(i).Name), "u", "", ""))})
	}
	known := map[schemas.Ref]string{}
	changed := make(chan store.Revision, 3)
	cancel := r.view.Handle(func(c view.Change) {
		if len(known) == 0 { // the first of n: what follows happens while the rest is told
			go func() {
				for i, value := range map[int][]byte{0: value(pod("p0", "u", "there", "")), n - 2: value(pod(string(ref(n-2).Name), "u", "there", "")), n - 1: nil} {
					rev, err := r.s.Apply(r.ctx, store.Op{Key: bus.DesiredKey(ref(i)), Value: value, Revision: revs[i]})
					if err != nil {
						t.Error(err)
					}
					changed <- rev
				}
			}()
		}
		_, told := known[c.Ref]
		switch c.Type {
		case view.Added:
			if told {
				t.Errorf("%s is added twice", c.Ref)
			}
		case view.Modified:
			if !told || c.Old == nil {
				t.Errorf("%s is modified and was never added", c.Ref)
			}
		case view.Deleted:
			delete(known, c.Ref)
			return
		}
		known[c.Ref] = c.Object.(*corev1.Pod).Spec.NodeName
	})
	for range 3 {
		if err := r.view.WaitFor(r.ctx, <-changed); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	r.view.Settle()
	if len(known) != n-1 || known[ref(0)] != "there" || known[ref(n-2)] != "there" {
		t.Errorf("%d are known, the changed ones on %q and %q", len(known), known[ref(0)], known[ref(n-2)])
	}
}

// The bucket drops the marks of deleted keys before long; the view still knows that a node's work
// orders changed.
func TestTouched(t *testing.T) {
	r := start(t)
	node := func(name schemas.NodeName) bus.Key {
		return bus.DesiredKey(schemas.Ref{Resource: schemas.Nodes, Name: schemas.Name(name)})
	}
	want := func(on schemas.NodeName, since, newer, last store.Revision) {
		t.Helper()
		if n, l, ok := r.view.Touched(on, since); n != newer || l != last || !ok {
			t.Errorf("on %s since %d: %d of %d, %v; want %d of %d", on, since, n, l, ok, newer, last)
		}
	}
	one := r.apply(store.Op{Key: node("n1"), Value: value(corev1.Node{})})
	two := r.apply(store.Op{Key: node("n2"), Value: value(corev1.Node{})})
	want("n1", 0, one, two)
	want("n1", one, 0, two)
	order := r.apply(store.Op{Key: bus.AssignedKey("n1", "ns", "a"), Value: value(pod("a", "u1", "n1", ""))})
	want("n1", one, order, order)
	gone := r.apply(store.Op{Key: bus.AssignedKey("n1", "ns", "a"), Revision: order})
	want("n1", order, gone, gone)
	want("n2", two, 0, gone)
	r.apply(store.Op{Key: bus.ObservedPodKey("n1", "ns", "a"), Value: value(pod("a", "u1", "", corev1.PodRunning))})
	last := r.apply(store.Op{Key: node("n2"), Revision: two})
	want("n1", gone, 0, last)
	want("n2", gone, last, last)

	late := view.New(r.bus.Conn(t, "system:controller"), table())
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(r.ctx)
	go func() { done <- late.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if err := late.WaitSynced(ctx); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := late.Touched("n1", last-1); ok {
		t.Error("a view that began later tells what was gone by then")
	}
	if n, _, ok := late.Touched("n1", last); n != 0 || !ok {
		t.Errorf("since it began: %d, %v", n, ok)
	}
}
