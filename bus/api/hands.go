package api

import "sync"

// idleHands is how many goroutines wait for the next request at most.
const idleHands = 32

// hands are goroutines that each do one thing after the other: a new one would first have
// its stack grow, again and again, to what a request needs.
type hands struct {
	next chan func()   // to one that waits
	free chan struct{} // one for each that waits
	over chan struct{} // closed when nothing more comes
	all  sync.WaitGroup
}

func newHands() *hands {
	return &hands{next: make(chan func()), free: make(chan struct{}, idleHands), over: make(chan struct{})}
}

// do has f done and returns at once.
func (h *hands) do(f func()) {
	select {
	case h.next <- f:
	default:
		h.all.Go(func() { h.work(f) })
	}
}

// end waits until everything is done. Nothing may come any more.
func (h *hands) end() {
	close(h.over)
	h.all.Wait()
}

func (h *hands) work(f func()) {
	for {
		f()
		select {
		case h.free <- struct{}{}:
		default:
			return // enough wait already
		}
		select {
		case f = <-h.next:
			<-h.free
		case <-h.over:
			return
		}
	}
}
