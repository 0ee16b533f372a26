package api

import (
	"context"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
)

// turns hands out the slots in which requests run. While there are none left, users
// take turns, one request each: whoever sends a thousand waits for them himself. So do
// the two levels: five thousand nodes that come back at once are five thousand users, and
// an operator does not wait for all of them. Safe for concurrent use.
type turns struct {
	mu      sync.Mutex
	free    int
	waiting map[bus.User][]*turn
	rings   [levels][]bus.User // who waits, the next one first
	last    level              // whose turn it was
}

// level is whom a user takes turns with.
type level int

const (
	people level = iota // and services, and the pods' accounts
	nodes
	levels
)

func levelOf(u bus.User) level {
	if _, is := u.Node(); is {
		return nodes
	}
	return people
}

type turn struct {
	begin func() // it has come; must not block
	gone  bool   // nobody waits any more
}

func newTurns(n int) *turns { return &turns{free: n, waiting: map[bus.User][]*turn{}} }

// acquire waits for a slot. The returned function frees it, once.
func (t *turns) acquire(ctx context.Context, u bus.User) (release func(), err error) {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return sync.OnceFunc(t.release), nil
	}
	given := make(chan struct{})
	w := t.queue(u, func() { close(given) })
	t.mu.Unlock()
	select {
	case <-given:
		return sync.OnceFunc(t.release), nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-given: // just now
		t.passOn()
	default:
		w.gone = true
	}
	return nil, errTooLate()
}

func errTooLate() error {
	return apierrors.NewTooManyRequests("the request waited too long for its turn", 1)
}

// do has f run in a slot, which release frees, once: here, if there is one, and otherwise through hand, when
// it is u's turn. Nobody waits for that.
func (t *turns) do(u bus.User, hand func(func()), f func(release func())) {
	t.mu.Lock()
	if t.free == 0 {
		t.queue(u, func() { hand(func() { f(sync.OnceFunc(t.release)) }) })
		t.mu.Unlock()
		return
	}
	t.free--
	t.mu.Unlock()
	f(sync.OnceFunc(t.release))
}

// queue puts a turn of u's behind those that he has. It needs t.mu.
func (t *turns) queue(u bus.User, begin func()) *turn {
	w := &turn{begin: begin}
	if len(t.waiting[u]) == 0 {
		l := levelOf(u)
		t.rings[l] = append(t.rings[l], u)
	}
	t.waiting[u] = append(t.waiting[u], w)
	return w
}

func (t *turns) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.passOn()
}

// passOn gives a slot to the next user's first request. It needs t.mu.
func (t *turns) passOn() {
	for l := t.next(); len(t.rings[l]) > 0; l = t.next() {
		if t.pass(l) {
			t.last = l
			return
		}
	}
	t.free++
}

// next is the level whose turn it is: the one that it was not last time, if anybody waits there.
func (t *turns) next() level {
	other := levels - 1 - t.last
	if len(t.rings[other]) > 0 {
		return other
	}
	return t.last
}

// pass gives a slot to the first request of the level's next user; false if nobody waits
// for that any more.
func (t *turns) pass(l level) bool {
	u := t.rings[l][0]
	t.rings[l] = t.rings[l][1:]
	queue := t.waiting[u]
	w := queue[0]
	queue[0] = nil
	if queue = queue[1:]; len(queue) > 0 {
		t.waiting[u] = queue
		t.rings[l] = append(t.rings[l], u)
	} else {
		delete(t.waiting, u)
	}
	if w.gone {
		return false
	}
	w.begin()
	return true
}

// asker is whose turn a request takes: a gateway's requests are those of its users.
func asker(r *Request) bus.User {
	if r.As != nil {
		return r.As.User
	}
	return r.User
}
