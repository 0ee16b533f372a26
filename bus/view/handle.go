package view

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/skerry/skerry/schemas"
)

// replayed is how many objects a new handler is told of before a change may come in
// between: with a million there, the state does not stand still for all of them.
const replayed = 64

type handler struct {
	f    func(Change)
	gone atomic.Bool
	// untold are those of the first objects that f has not been told of.
	untold map[schemas.Ref]struct{}
}

// tell hands one change to f. The first that f hears of an object is never a change of
// what it has not seen: it is Added as it is now. One that f has not heard of may be Deleted.
func (h *handler) tell(c Change) {
	if h.gone.Load() {
		return
	}
	if _, untold := h.untold[c.Ref]; untold {
		delete(h.untold, c.Ref)
		if c.Type == Modified {
			c.Type, c.Old = Added, nil
		}
	}
	h.f(c)
}

// Handle registers f for every change from now on; existing objects come as Added, oldest
// resourceVersion first, and have come when it returns. f is called until the returned cancel
// is, from one goroutine at a time, and WaitFor(rev) does not return before f has seen the changes
// up to rev. f must be quick and must not call back into the view's registration, nor wait
// for a revision.
func (v *View) Handle(f func(Change)) (cancel func()) {
	h := &handler{f: f}
	v.turn.Lock()
	defer v.turn.Unlock()
	refs := v.existing()
	h.untold = make(map[schemas.Ref]struct{}, len(refs))
	for _, ref := range refs {
		h.untold[ref] = struct{}{}
	}
	v.handlers = append(v.handlers, h)
	for some := range slices.Chunk(refs, replayed) {
		v.replay(h, some)
		v.turn.Unlock()
		v.turn.Lock()
	}
	h.untold = nil
	return func() { h.gone.Store(true) }
}

// existing names all objects, in the order of their resourceVersions.
func (v *View) existing() []schemas.Ref {
	v.mu.RLock()
	defer v.mu.RUnlock()
	n := 0
	for _, objects := range v.objects {
		n += len(objects)
	}
	all := make([]*object, 0, n)
	for _, objects := range v.objects {
		for _, o := range objects {
			if o.joined != nil {
				all = append(all, o)
			}
		}
	}
	slices.SortFunc(all, func(a, b *object) int { return cmp.Compare(a.rev, b.rev) })
	refs := make([]schemas.Ref, len(all))
	for i, o := range all {
		refs[i] = o.ref()
	}
	return refs
}

// replay tells h of those objects that it has not been told of.
func (v *View) replay(h *handler, refs []schemas.Ref) {
	changes := make([]Change, 0, len(refs))
	v.mu.RLock()
	for _, ref := range refs {
		o := v.find(ref)
		if _, untold := h.untold[ref]; untold && o != nil && o.joined != nil {
			changes = append(changes, Change{Type: Added, Ref: ref, Object: o.joined, Revision: o.rev})
		}
	}
	v.mu.RUnlock()
	for _, c := range changes {
		h.tell(c)
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
