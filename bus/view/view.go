// Package view keeps a live, joined copy of the state bucket: objects as a client
// sees them, made of their desired, assigned, observed and current keys.
//
// It only reads. What always holds: objects handed out are shared and must not be
// changed (DeepCopy first); an object's resourceVersion is the highest revision of
// its parts, and never goes back; handlers see changes of one object in order. Objects
// of kinds that the table lacks are there as well, unstructured: their owners and finalizers
// count, and they are in place when the table gets the kind.
package view

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/share"
)

// ChangeType is what happened to an object.
type ChangeType int

const (
	Added ChangeType = iota
	Modified
	Deleted
)

// Change is one change of a joined object. An object that was deleted and made again
// under its name is first Deleted, then Added.
type Change struct {
	Type     ChangeType
	Ref      schemas.Ref
	Object   schemas.Object // for Deleted: the last state
	Old      schemas.Object // nil for Added
	Revision store.Revision
	// Part is the prefix of the key that made the change (bus.PrefixObserved: only a
	// status was reported); "" if it is unknown, for what was there before.
	Part string
}

// View is the copy. Safe for concurrent use.
type View struct {
	state *store.Store
	table *schemas.Table
	log   *slog.Logger
	pool  *share.Pool
	pods  bool // pods are of Go's type

	// turn is held while a change is taken in and handed out, and while a handler
	// is added: it puts them in order. It comes before mu.
	turn     sync.Mutex
	handlers []*handler

	mu      sync.RWMutex
	objects map[schemas.Resource]map[name]*object
	index   index
	scratch [3]corev1.Pod // for joining
	rev     store.Revision
	floor   store.Revision // rev of the first list, or of that of a bucket that was made anew
	touched touched
	waiters []waiter
	odd     map[bus.Key]bool // keys that were logged as not understood
	strange map[schemas.Resource]*schemas.Kind

	synced     chan struct{}
	markSynced sync.Once
}

type waiter struct {
	rev  store.Revision
	done chan struct{}
}

// New returns a view of the kinds in table; nothing is read before Run.
func New(conn *bus.Conn, table *schemas.Table) *View {
	typed := false
	if k := table.ByResource(schemas.Pods); k != nil {
		_, typed = k.New().(*corev1.Pod)
	}
	return &View{
		pool:    share.New(),
		pods:    typed,
		state:   store.New(conn, bus.BucketState),
		table:   table,
		log:     conn.Log,
		objects: map[schemas.Resource]map[name]*object{},
		index:   newIndex(),
		touched: touched{},
		odd:     map[bus.Key]bool{},
		strange: map[schemas.Resource]*schemas.Kind{},
		synced:  make(chan struct{}),
	}
}

// Run follows the state until ctx ends. It returns only ctx's error.
func (v *View) Run(ctx context.Context) error {
	defer v.table.Listen(v.retype)()
	for e := range v.state.Watch(ctx, nil, ">") {
		v.take(e)
	}
	return ctx.Err()
}

// WaitSynced blocks until the first list is in.
func (v *View) WaitSynced(ctx context.Context) error {
	select {
	case <-v.synced:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the first list: %w", ctx.Err())
	}
}

// Reach returns the revision to wait for so that the view shows everything that was acknowledged
// before a request came in over its connection (store.Reach).
func (v *View) Reach(ctx context.Context) (store.Revision, error) { return v.state.Reach(ctx) }

// WaitFor blocks until the view reflects rev (a write of one's own, Reach, or store.Last).
func (v *View) WaitFor(ctx context.Context, rev store.Revision) error {
	v.mu.Lock()
	if v.rev >= rev {
		v.mu.Unlock()
		return nil
	}
	w := waiter{rev: rev, done: make(chan struct{})}
	v.waiters = append(v.waiters, w)
	v.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.waiters = slices.DeleteFunc(v.waiters, func(o waiter) bool { return o.done == w.done })
	return fmt.Errorf("wait for revision %d (at %d): %w", rev, v.rev, ctx.Err())
}

// Revision is the newest revision the view reflects.
func (v *View) Revision() store.Revision {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.rev
}

// take takes in one event of the watch, hands the changes out, and then lets those
// go on who waited for its revision.
func (v *View) take(e store.Event) {
	v.turn.Lock()
	defer v.turn.Unlock()
	if !e.Synced && !e.Progress {
		v.handOut(v.apply(e.Entry))
	}
	v.mu.Lock()
	if e.Synced || e.Progress {
		if e.Synced || e.Revision < v.rev { // the bucket was made anew
			v.floor = e.Revision
		}
		v.rev = e.Revision
	} else if !e.Listed { // nothing is promised of a list before it is complete
		v.rev = max(v.rev, e.Revision)
	}
	v.wake()
	v.mu.Unlock()
	if e.Synced {
		v.markSynced.Do(func() { close(v.synced) })
	}
}

func (v *View) isSynced() bool {
	select {
	case <-v.synced:
		return true
	default:
		return false
	}
}

// wake lets waiters go on; v.mu is held.
func (v *View) wake() {
	v.waiters = slices.DeleteFunc(v.waiters, func(w waiter) bool {
		if w.rev > v.rev {
			return false
		}
		close(w.done)
		return true
	})
}

// find returns what is stored under a name, nil if nothing is; v.mu is held.
func (v *View) find(ref schemas.Ref) *object {
	return v.objects[ref.Resource][name{ref.Namespace, ref.Name}]
}

// add makes place for what is going to be stored under a name; v.mu is held.
func (v *View) add(kind *schemas.Kind, ref schemas.Ref) *object {
	o := &object{kind: kind, name: name{ref.Namespace, ref.Name}}
	if v.objects[ref.Resource] == nil {
		v.objects[ref.Resource] = map[name]*object{}
	}
	v.objects[ref.Resource][o.name] = o
	return o
}

// Get returns the joined object, shared: do not change it.
func (v *View) Get(ref schemas.Ref) (schemas.Object, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	o := v.find(ref)
	if o == nil || o.joined == nil {
		return nil, false
	}
	return o.joined, true
}

// List returns the objects of a resource in a namespace ("" for all), sorted by
// namespace and name, shared: do not change them.
func (v *View) List(r schemas.Resource, ns schemas.Namespace) []schemas.Object {
	unlock := v.lockOrder(r)
	defer unlock()
	o := v.index.orders[r]
	if o == nil {
		return nil
	}
	in := o.in(ns)
	found := make([]schemas.Object, len(in))
	for i, o := range in {
		found[i] = o.joined
	}
	return found
}

// lockOrder locks for reading, with r's order up to date.
func (v *View) lockOrder(r schemas.Resource) (unlock func()) {
	v.mu.RLock()
	if o := v.index.orders[r]; o == nil || !o.dirty() {
		return v.mu.RUnlock
	}
	v.mu.RUnlock()
	v.mu.Lock()
	v.index.orders[r].refresh()
	return v.mu.Unlock
}

// OwnedBy returns the objects whose controller or other owner reference names uid,
// sorted by resource, namespace and name.
func (v *View) OwnedBy(uid string) []schemas.Ref {
	v.mu.RLock()
	owned := v.index.owners[types.UID(uid)]
	refs := make([]schemas.Ref, 0, len(owned))
	for o := range owned {
		refs = append(refs, o.ref())
	}
	v.mu.RUnlock()
	slices.SortFunc(refs, byRef)
	return refs
}

// All returns all objects of a resource, shared: do not change them.
func (v *View) All(r schemas.Resource) []schemas.Object {
	return v.List(r, "")
}

// Owned returns the objects whose controller or other owner reference names uid, in no
// order, shared: do not change them.
func (v *View) Owned(uid string) []schemas.Object {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.index.owners.list(types.UID(uid))
}

// Loose returns the pods of a namespace that have no controller, in no order, shared:
// do not change them.
func (v *View) Loose(ns schemas.Namespace) []schemas.Object {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.index.loose.list(ns)
}

// PodsOn returns the pods of a node ("" for those that are not placed), sorted by
// namespace and name, shared: do not change them.
func (v *View) PodsOn(node schemas.NodeName) []schemas.Object {
	v.mu.RLock()
	found := v.index.nodes.list(node)
	v.mu.RUnlock()
	slices.SortFunc(found, byName)
	return found
}

// CountOn is how many pods PodsOn would return.
func (v *View) CountOn(node schemas.NodeName) int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.index.nodes[node])
}

// Settle returns once every change that a Get or List before it could see has been
// handed to the handlers. A handler must not call it.
func (v *View) Settle() {
	v.turn.Lock()
	defer v.turn.Unlock()
}
