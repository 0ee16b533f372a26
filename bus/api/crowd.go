package api

import (
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
)

// whenFull is after how many seconds somebody may come again who was refused a place:
// what lasts does not end soon.
const whenFull = 5

// Crowd counts what lasts, watches for example, so that it is bounded in all and for each
// user. Safe for concurrent use.
type Crowd struct {
	// What is its name in errors, Most how many there may be, and MostOf how many of one user.
	What         string
	Most, MostOf int

	mu  sync.Mutex
	all int
	of  map[bus.User]int
}

// Enter takes a place for who, or says why there is none (429 with Retry-After). The
// returned function frees it, once.
func (c *Crowd) Enter(who bus.User) (leave func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.all >= c.Most:
		return nil, apierrors.NewTooManyRequests(fmt.Sprintf("%d %s are open, which is as many as there may be here: please try again later", c.all, c.What), whenFull)
	case c.of[who] >= c.MostOf:
		return nil, apierrors.NewTooManyRequests(fmt.Sprintf("user %q has %d %s open, which is as many as one may have: close some, or try again later", who, c.of[who], c.What), whenFull)
	}
	if c.of == nil {
		c.of = map[bus.User]int{}
	}
	c.all++
	c.of[who]++
	return sync.OnceFunc(func() { c.leave(who) }), nil
}

func (c *Crowd) leave(who bus.User) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.of[who]--; c.of[who] == 0 {
		delete(c.of, who)
	}
}
