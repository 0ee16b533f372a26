// Package clustertest gives the controllers' tests a whole cluster in memory: an
// apiserver's semantics, conclusions, and a clock that only the test moves.
//
// It reads and writes its own maps. What always holds: everything runs in the
// test's goroutine, in an order that the seed decides; a write is in the view when
// it returns, as with the real one.
package clustertest

import (
	"fmt"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/join"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/services/controller/cluster"
)

// parts are what different services write about one object.
type parts struct {
	desired, assigned, observed, current schemas.Object
	joined                               schemas.Object
}

// Event is one recorded event.
type Event struct {
	Object                *corev1.ObjectReference
	Type, Reason, Message string
}

// World is the cluster.
type World struct {
	T     testing.TB
	Table *schemas.Table
	Rand  *rand.Rand
	// Refuse, if set, may fail a write: verb is create, update or delete.
	Refuse func(verb string, ref schemas.Ref, obj schemas.Object) error

	mu      sync.Mutex
	now     time.Time
	rev     uint64
	uids    int
	objects map[schemas.Ref]*parts
	changes []view.Change
	events  []Event
	writes  int
}

// New returns an empty world at a fixed time.
func New(t testing.TB, seed uint64) *World {
	return &World{T: t, Table: kinds.Table(), Rand: rand.New(rand.NewPCG(seed, 1)),
		now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), objects: map[schemas.Ref]*parts{}}
}

// Cluster is what a controller under test is given.
func (w *World) Cluster() *cluster.Cluster {
	return &cluster.Cluster{View: w, API: w, Status: w, Truth: w, Events: w, Table: w.Table,
		Log: slog.New(slog.DiscardHandler), Now: w.Now}
}

// Now is the world's time.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Writes is how many writes changed something so far.
func (w *World) Writes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writes
}

// Reasons are the recorded events' "Reason: message", oldest first.
func (w *World) Reasons() (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		out = append(out, e.Reason+": "+e.Message)
	}
	return out
}

// Event implements cluster.Recorder.
func (w *World) Event(obj schemas.Object, eventType, reason, message string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, Event{Object: &corev1.ObjectReference{Namespace: obj.GetNamespace(), Name: obj.GetName()},
		Type: eventType, Reason: reason, Message: message})
}

// Observe is the agent's report about a pod or node.
func (w *World) Observe(ref schemas.Ref, f func(schemas.Object)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.objects[ref]
	if p == nil || p.desired == nil {
		w.T.Fatalf("observe %s: it does not exist", ref)
	}
	o := w.Table.ByResource(ref.Resource).New()
	if p.observed != nil && p.observed.GetUID() == p.desired.GetUID() {
		o = p.observed.DeepCopyObject().(schemas.Object)
	}
	o.SetName(p.desired.GetName())
	o.SetNamespace(p.desired.GetNamespace())
	o.SetUID(p.desired.GetUID())
	f(o)
	w.commit(ref, func(p *parts) { p.observed = o })
}

// Assign places a pod.
func (w *World) Assign(ref schemas.Ref, node string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.objects[ref].desired.DeepCopyObject().(*corev1.Pod)
	o.Spec.NodeName = node
	w.commit(ref, func(p *parts) { p.assigned = o })
}

// Current is what was concluded about ref, or nil.
func (w *World) Current(ref schemas.Ref) schemas.Object {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.objects[ref]; p != nil {
		return p.current
	}
	return nil
}

// commit changes an object's parts and notes what became of it; w.mu is held.
func (w *World) commit(ref schemas.Ref, f func(*parts)) {
	p := w.objects[ref]
	if p == nil {
		p = &parts{}
		w.objects[ref] = p
	}
	old := p.joined
	f(p)
	w.rev++
	w.writes++
	p.joined = nil
	if p.desired != nil {
		p.joined = join.Join(w.Table.ByResource(ref.Resource), p.desired, p.assigned, p.observed, p.current)
		p.joined.SetResourceVersion(strconv.FormatUint(w.rev, 10))
	}
	switch {
	case old == nil && p.joined == nil:
	case p.joined == nil:
		w.changes = append(w.changes, view.Change{Type: view.Deleted, Ref: ref, Object: old, Old: old})
		delete(w.objects, ref)
	case old == nil:
		w.changes = append(w.changes, view.Change{Type: view.Added, Ref: ref, Object: p.joined})
	default:
		w.changes = append(w.changes, view.Change{Type: view.Modified, Ref: ref, Object: p.joined, Old: old})
	}
}

// Get implements cluster.Reader.
func (w *World) Get(ref schemas.Ref) (schemas.Object, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.objects[ref]
	if p == nil || p.joined == nil {
		return nil, false
	}
	return p.joined, true
}

func (w *World) each(want func(schemas.Ref, schemas.Object) bool) (refs []schemas.Ref, out []schemas.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ref, p := range w.objects {
		if p.joined != nil && want(ref, p.joined) {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, func(a, b schemas.Ref) int { return strings.Compare(a.String(), b.String()) })
	for _, ref := range refs {
		out = append(out, w.objects[ref].joined)
	}
	return refs, out
}

// List implements cluster.Reader.
func (w *World) List(r schemas.Resource, ns schemas.Namespace) []schemas.Object {
	_, out := w.each(func(ref schemas.Ref, _ schemas.Object) bool {
		return ref.Resource == r && (ns == "" || ref.Namespace == ns)
	})
	return out
}

// All implements cluster.Reader.
func (w *World) All(r schemas.Resource) []schemas.Object { return w.List(r, "") }

// Owned implements cluster.Reader.
func (w *World) Owned(uid string) (out []schemas.Object) {
	for _, ref := range w.OwnedBy(uid) {
		if o, ok := w.Get(ref); ok {
			out = append(out, o)
		}
	}
	return out
}

// Loose implements cluster.Reader.
func (w *World) Loose(ns schemas.Namespace) (out []schemas.Object) {
	for _, o := range w.List(schemas.Pods, ns) {
		if metav1.GetControllerOfNoCopy(o) == nil {
			out = append(out, o)
		}
	}
	return out
}

// OwnedBy implements cluster.Reader.
func (w *World) OwnedBy(uid string) []schemas.Ref {
	refs, _ := w.each(func(_ schemas.Ref, o schemas.Object) bool {
		for _, r := range o.GetOwnerReferences() {
			if string(r.UID) == uid {
				return true
			}
		}
		return false
	})
	return refs
}

// PodsOn implements cluster.Reader.
func (w *World) PodsOn(node schemas.NodeName) []schemas.Object {
	_, out := w.each(func(_ schemas.Ref, o schemas.Object) bool {
		p, ok := o.(*corev1.Pod)
		return ok && p.Spec.NodeName == string(node)
	})
	return out
}

// newUID is unique and reproducible; w.mu is held.
func (w *World) newUID() types.UID {
	w.uids++
	return types.UID(fmt.Sprintf("uid-%04d", w.uids))
}

func sameSpec(a, b schemas.Object) bool {
	a, b = a.DeepCopyObject().(schemas.Object), b.DeepCopyObject().(schemas.Object)
	for _, o := range []schemas.Object{a, b} {
		o.SetAnnotations(nil)
		o.SetLabels(nil)
		o.SetFinalizers(nil)
		o.SetOwnerReferences(nil)
		o.SetResourceVersion("")
		o.SetGeneration(0)
		o.SetDeletionTimestamp(nil)
	}
	return apiequality.Semantic.DeepEqual(a, b)
}
