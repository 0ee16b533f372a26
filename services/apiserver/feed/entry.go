package feed

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/join"
)

// Entry is one change. All watchers share it and what it renders.
type Entry struct {
	view.Change
	// Revision is that of the change, never less than the one before.
	Revision store.Revision
	at       time.Time

	now, old rendered
}

// rendered is text that watchers share while the entry is young.
type rendered struct {
	mu   sync.Mutex
	data []byte
	old  bool // who still asks renders for itself
}

func (r *rendered) get(render func() ([]byte, error)) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.data != nil {
		return r.data, nil
	}
	data, err := render()
	if err == nil && !r.old {
		r.data = data
	}
	return data, err
}

func (r *rendered) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.data, r.old = nil, true
}

// before is the object as it was before the change, nil if it was not there.
func (e *Entry) before() schemas.Object {
	switch {
	case e.Type == view.Added:
		return nil
	case e.Old != nil:
		return e.Old
	case e.Type == view.Deleted:
		return e.Object
	}
	return nil
}

// Before is the object before the change; nil if there was none.
func (e *Entry) Before() schemas.Object { return e.before() }

// After is the object after the change; nil if it is gone.
func (e *Entry) After() schemas.Object {
	if e.Type == view.Deleted {
		return nil
	}
	return e.Object
}

// JSON renders the object after the change.
func (e *Entry) JSON() ([]byte, error) {
	return e.now.get(func() ([]byte, error) { return json.Marshal(e.Object) })
}

// LastJSON renders the object before the change, with the revision of the change: what
// a watcher gets for whom it is deleted now.
func (e *Entry) LastJSON() ([]byte, error) {
	return e.old.get(func() ([]byte, error) {
		return json.Marshal(join.As(e.before(), strconv.FormatUint(uint64(e.Revision), 10)))
	})
}

// dropText forgets what was rendered: most watchers are past the entry.
func (e *Entry) dropText() {
	e.now.drop()
	e.old.drop()
}
