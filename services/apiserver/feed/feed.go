package feed

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
)

const (
	// fresh is how long changes are kept: longer than a client needs to come back.
	fresh = 75 * time.Second
	// minEntries are kept however old they are; more than maxEntries never.
	minEntries = 256
	maxEntries = 1 << 15
	// maxEvents is how many there are of Kubernetes events at most: there are as many as of pods,
	// few watch them, and whoever comes too late lists what the stream still has.
	maxEvents = 1 << 12
	// keptTexts is of how many entries, the newest, the text is kept that watchers share.
	keptTexts = 1024
)

// Feed holds the last changes of one resource. Safe for concurrent use.
type Feed struct {
	now  func() time.Time
	most int // entries

	mu      sync.RWMutex
	entries []*Entry
	first   uint64         // the cursor of entries[0]
	floor   store.Revision // changes up to this one are forgotten
	topics  map[Scope]*topic
	ends    int // how often End was called
}

// Cursor is a place between two entries.
type Cursor uint64

func newFeed(now func() time.Time, r schemas.Resource, floor store.Revision) *Feed {
	f := &Feed{now: now, most: maxEntries, floor: floor, topics: map[Scope]*topic{}}
	if r == schemas.Events {
		f.most = maxEvents
	}
	return f
}

// append adds c. A change that was learned late (from a fresh list after a gap) counts
// as of now: whoever has seen less gets it, maybe twice.
func (f *Feed) append(c view.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := &Entry{Change: c, Revision: max(c.Revision, f.lastLocked()), at: f.now()}
	f.entries = append(f.entries, e)
	if i := len(f.entries) - 1 - keptTexts; i >= 0 {
		f.entries[i].dropText()
	}
	f.forget(e.at)
	f.tell(e)
}

func (f *Feed) lastLocked() store.Revision {
	if n := len(f.entries); n > 0 {
		return f.entries[n-1].Revision
	}
	return f.floor
}

// forget drops what is too old or too much.
func (f *Feed) forget(now time.Time) {
	n := 0
	for len(f.entries)-n > minEntries && (len(f.entries)-n > f.most || now.Sub(f.entries[n].at) > fresh) {
		f.floor = f.entries[n].Revision
		f.drop(f.entries[n], Cursor(f.first+uint64(n)+1))
		f.entries[n] = nil
		n++
	}
	f.entries = f.entries[n:]
	f.first += uint64(n)
}

// After returns the cursor behind every change up to rev, or Expired if changes after
// rev are forgotten.
func (f *Feed) After(rev store.Revision) (Cursor, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.afterLocked(rev)
}

func (f *Feed) afterLocked(rev store.Revision) (Cursor, error) {
	if rev < f.floor {
		return 0, Expired(rev, f.floor)
	}
	i, _ := slices.BinarySearchFunc(f.entries, rev+1, func(e *Entry, r store.Revision) int { return cmp.Compare(e.Revision, r) })
	return Cursor(f.first + uint64(i)), nil
}

// At undoes in now, a list of the objects of ns taken just before, what changed after
// rev: the list as it was at rev. Expired if that is forgotten.
func (f *Feed) At(rev store.Revision, ns schemas.Namespace, now []schemas.Object) ([]schemas.Object, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	c, err := f.afterLocked(rev)
	if err != nil {
		return nil, err
	}
	later := f.entries[uint64(c)-f.first:]
	if len(later) == 0 {
		return now, nil
	}
	was := map[schemas.Ref]schemas.Object{}
	var r schemas.Resource
	for _, e := range later {
		r = e.Ref.Resource
		if _, seen := was[e.Ref]; !seen && (ns == "" || ns == e.Ref.Namespace) {
			was[e.Ref] = e.before()
		}
	}
	return restore(r, now, was), nil
}

// restore returns now with the objects in was as they are there; nil was not there.
func restore(r schemas.Resource, now []schemas.Object, was map[schemas.Ref]schemas.Object) []schemas.Object {
	out := make([]schemas.Object, 0, len(now)+len(was))
	for _, o := range now {
		if _, changed := was[schemas.RefOf(r, o)]; !changed {
			out = append(out, o)
		}
	}
	for _, o := range was {
		if o != nil {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b schemas.Object) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
	return out
}

// Expired is 410 Gone about rev, when everything up to floor is forgotten.
func Expired(rev, floor store.Revision) error {
	return apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", rev, floor))
}
