package feed

import (
	"sync"
	"time"

	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
)

// Hub has a feed for each resource. Safe for concurrent use.
type Hub struct {
	now func() time.Time

	mu      sync.Mutex
	started bool
	floor   store.Revision // what came before Start
	feeds   map[schemas.Resource]*Feed
}

// NewHub returns a hub that remembers nothing yet.
func NewHub(now func() time.Time) *Hub {
	return &Hub{now: now, feeds: map[schemas.Resource]*Feed{}}
}

// Handle takes a change; it is what the view calls.
func (h *Hub) Handle(c view.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.started {
		h.floor = max(h.floor, c.Revision)
		return
	}
	h.feedLocked(c.Ref.Resource).append(c)
}

// Start begins to remember: the view's first list is in, as of rev.
func (h *Hub) Start(rev store.Revision) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.floor = max(h.floor, rev)
	h.started = true
}

// Feed returns the feed of r.
func (h *Hub) Feed(r schemas.Resource) *Feed {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.feedLocked(r)
}

func (h *Hub) feedLocked(r schemas.Resource) *Feed {
	f := h.feeds[r]
	if f == nil {
		f = newFeed(h.now, r, h.floor)
		h.feeds[r] = f
	}
	return f
}
