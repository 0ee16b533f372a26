package feed

import (
	"errors"
	"slices"

	"github.com/skerry/skerry/schemas"
)

// Scope is what a watcher wants to hear of: a namespace, a name, both, or, if both are empty,
// everything.
type Scope struct {
	Namespace schemas.Namespace
	Name      schemas.Name
}

// scopes are those that a change of ref is in.
func scopes(ref schemas.Ref) []Scope {
	all := []Scope{{}, {Name: ref.Name}}
	if ref.Namespace != "" {
		all = append(all, Scope{Namespace: ref.Namespace}, Scope{ref.Namespace, ref.Name})
	}
	return all
}

// topic is what all watchers of a scope share.
type topic struct {
	watchers int
	wake     chan struct{} // closed at the scope's next change
	// gone is the cursor behind the scope's last change that is forgotten.
	gone Cursor
}

// Place is where one watcher is. It is woken only by changes in its scope, and however long
// there is none, it has missed nothing. Not safe for concurrent use.
type Place struct {
	f     *Feed
	scope Scope
	topic *topic
	at    Cursor
	ends  int // of the feed when it was opened
}

// Open returns the place behind cursor at. Its owner closes it.
func (f *Feed) Open(s Scope, at Cursor) *Place {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.topics[s]
	if t == nil {
		// Nobody has kept account until now.
		t = &topic{wake: make(chan struct{}), gone: Cursor(f.first)}
		f.topics[s] = t
	}
	t.watchers++
	return &Place{f: f, scope: s, topic: t, at: at, ends: f.ends}
}

// Close leaves the place.
func (p *Place) Close() {
	p.f.mu.Lock()
	defer p.f.mu.Unlock()
	if p.topic.watchers--; p.topic.watchers == 0 {
		delete(p.f.topics, p.scope)
	}
}

// Next returns the next entries and goes behind them; some may be out of the scope. With none
// it returns a channel that closes when there are some in the scope. It fails with Expired
// if one of the scope is forgotten, and with ErrEnded after End.
func (p *Place) Next() ([]*Entry, <-chan struct{}, error) {
	f := p.f
	f.mu.RLock()
	defer f.mu.RUnlock()
	if p.ends != f.ends {
		return nil, nil, ErrEnded
	}
	if p.at < p.topic.gone {
		return nil, nil, Expired(0, f.floor)
	}
	p.at = max(p.at, Cursor(f.first))
	from := uint64(p.at) - f.first
	// Cloned: forget clears what it drops.
	got := slices.Clone(f.entries[from:min(from+batch, uint64(len(f.entries)))])
	p.at += Cursor(len(got))
	return got, p.topic.wake, nil
}

// ErrEnded says that nobody is to watch any longer from a place that was opened before.
var ErrEnded = errors.New("the watch has ended")

// End ends all places that there are: the resource is not served any more, or in another way.
func (f *Feed) End() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ends++
	for _, t := range f.topics {
		close(t.wake)
		t.wake = make(chan struct{})
	}
}

// batch is how many entries a watcher takes at once.
const batch = 128

// tell wakes who wants to hear of e. It needs f.mu.
func (f *Feed) tell(e *Entry) {
	for _, s := range scopes(e.Ref) {
		if t := f.topics[s]; t != nil {
			close(t.wake)
			t.wake = make(chan struct{})
		}
	}
}

// drop notes that e, which is before cursor next, is forgotten. It needs f.mu.
func (f *Feed) drop(e *Entry, next Cursor) {
	for _, s := range scopes(e.Ref) {
		if t := f.topics[s]; t != nil {
			t.gone = next
		}
	}
}
