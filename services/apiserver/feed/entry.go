package feed

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
)

// Entry is one change. All watchers share it and what it renders.
type Entry struct {
	view.Change
	// Revision is that of the change, never less than the one before.
	Revision store.Revision
	at       time.Time

	now, old rendered
}

type rendered struct {
	once sync.Once
	data []byte
	err  error
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
	e.now.once.Do(func() { e.now.data, e.now.err = json.Marshal(e.Object) })
	return e.now.data, e.now.err
}

// LastJSON renders the object before the change, with the revision of the change: what
// a watcher gets for whom it is deleted now.
func (e *Entry) LastJSON() ([]byte, error) {
	e.old.once.Do(func() {
		last, ok := e.before().DeepCopyObject().(schemas.Object)
		if !ok {
			return
		}
		last.SetResourceVersion(strconv.FormatUint(uint64(e.Revision), 10))
		e.old.data, e.old.err = json.Marshal(last)
	})
	return e.old.data, e.old.err
}
