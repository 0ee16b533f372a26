package pod

import (
	"context"
	"sync"
	"time"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// sheds is one look at all pods for what may be removed, and those that it still waits for.
type sheds struct {
	mu   sync.Mutex
	left map[sandbox.Key]bool
	done chan struct{}
}

// shedTime bounds how long Shed waits.
const shedTime = 20 * time.Second

// Shed removes the containers of pods that have ended for good, with their logs: what the
// kubelet does first when the disk is full. It returns when that is done, or has taken too long.
func (r *Reconciler) Shed(ctx context.Context) {
	r.mu.Lock()
	left := map[sandbox.Key]bool{}
	for k := range r.pods {
		left[k] = true
	}
	r.mu.Unlock()
	if len(left) == 0 {
		return
	}
	done := make(chan struct{})
	r.sheds.mu.Lock()
	r.sheds.left, r.sheds.done = left, done
	keys := make([]sandbox.Key, 0, len(left))
	for k := range left {
		keys = append(keys, k)
	}
	r.sheds.mu.Unlock()
	for _, k := range keys {
		r.loop.Add(k)
	}
	ctx, cancel := context.WithTimeout(ctx, shedTime)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// begin tells whether the turn of k that begins now is to remove what has ended.
func (s *sheds) begin(k sandbox.Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left[k]
}

// end notes that a turn that began so went well: otherwise it is tried again.
func (s *sheds) end(k sandbox.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.left[k] {
		return
	}
	delete(s.left, k)
	if len(s.left) == 0 {
		close(s.done)
	}
}
