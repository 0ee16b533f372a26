package view

import (
	"cmp"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

// replayed is how many objects a new handler is told of before a change may come in
// between: with a million there, the state does not stand still for all of them.
const replayed = 64

// chosenAtOnce bounds the memory that a handler's first objects take until it has been told of
// them: for each so many of them all are looked through once.
const chosenAtOnce = 1 << 17

type handler struct {
	f    func(Change)
	gone atomic.Bool
	// While f is told of the first objects: those up to revision at it has been told of, and
	// of the others those in told, which have changed meanwhile.
	at   store.Revision
	told map[schemas.Ref]struct{} // nil afterwards
}

// tell hands one change to f. The first that f hears of an object is never a change of
// what it has not seen: it is Added as it is now. One that f has not heard of may be Deleted.
func (h *handler) tell(c Change) {
	if h.gone.Load() {
		return
	}
	if _, known := h.told[c.Ref]; h.told != nil && !known {
		h.told[c.Ref] = struct{}{}
		if c.Type == Modified && revisionOf(c.Old) > h.at {
			c.Type, c.Old = Added, nil
		}
	}
	h.f(c)
}

// revisionOf is what a joined object's resourceVersion was made of.
func revisionOf(joined schemas.Object) store.Revision {
	rev, _ := strconv.ParseUint(joined.GetResourceVersion(), 10, 64) // rejoin wrote it
	return store.Revision(rev)
}

// Handle registers f for every change from now on; existing objects come as Added, oldest
// resourceVersion first, and have come when it returns. f is called until the returned cancel
// is, from one goroutine at a time, and WaitFor(rev) does not return before f has seen the changes
// up to rev. f must be quick and must not call back into the view's registration, nor wait
// for a revision.
func (v *View) Handle(f func(Change)) (cancel func()) {
	h := &handler{f: f, told: map[schemas.Ref]struct{}{}}
	v.turn.Lock()
	defer v.turn.Unlock()
	v.handlers = append(v.handlers, h)
	for end := v.newest(); h.at < end; {
		next := v.after(h.at, end, chosenAtOnce)
		if len(next) == 0 {
			break
		}
		for some := range slices.Chunk(next, replayed) {
			v.replay(h, some)
			h.at = some[len(some)-1].rev
			v.turn.Unlock()
			v.turn.Lock()
		}
	}
	h.told = nil
	return func() { h.gone.Store(true) }
}

// newest is the highest revision of any object.
func (v *View) newest() (rev store.Revision) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, objects := range v.objects {
		for _, o := range objects {
			rev = max(rev, o.rev)
		}
	}
	return rev
}

// existing is an object as it was at a revision.
type existing struct {
	*object
	rev store.Revision
}

// after returns the first n of the objects of revisions beyond rev, up to end, in their order.
func (v *View) after(rev, end store.Revision, n int) []existing {
	v.mu.RLock()
	defer v.mu.RUnlock()
	var found []existing
	first := func() {
		slices.SortFunc(found, func(a, b existing) int { return cmp.Compare(a.rev, b.rev) })
		if len(found) > n {
			clear(found[n:])
			found = found[:n]
			end = found[n-1].rev
		}
	}
	for _, objects := range v.objects {
		for _, o := range objects {
			if o.joined == nil || o.rev <= rev || o.rev > end {
				continue
			}
			if found = append(found, existing{o, o.rev}); len(found) == 2*n {
				first()
			}
		}
	}
	first()
	return found
}

// replay tells h of those objects that it has not been told of.
func (v *View) replay(h *handler, some []existing) {
	changes := make([]Change, 0, len(some))
	v.mu.RLock()
	for _, o := range some {
		ref := o.ref()
		if _, told := h.told[ref]; !told && o.joined != nil {
			changes = append(changes, Change{Type: Added, Ref: ref, Object: o.joined, Revision: o.rev})
		}
	}
	v.mu.RUnlock()
	for _, c := range changes {
		if !h.gone.Load() {
			h.f(c)
		}
	}
}

// handOut tells every handler of changes. turn is held.
func (v *View) handOut(changes []Change) {
	if len(changes) == 0 {
		return
	}
	v.handlers = slices.DeleteFunc(v.handlers, func(h *handler) bool { return h.gone.Load() })
	for _, c := range changes {
		for _, h := range v.handlers {
			h.tell(c)
		}
	}
}
