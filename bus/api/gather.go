package api

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

// gatherBytes bounds one gathered request.
const gatherBytes = 4 << 20

// Gatherer sends what many callers create and delete at the same time as one request.
// With nothing under way a request goes at once, or after Linger, and what comes meanwhile goes
// together when it is back, unless it is more than goes into one. Safe for concurrent use.
type Gatherer struct {
	c *Client
	// Linger is how long a first request waits for company; set it before use. It is for who
	// knows that more follow at once.
	Linger time.Duration

	mu    sync.Mutex
	lanes map[lane]*crowd
}

// lane is what can go together.
type lane struct {
	verb     Verb
	resource schemas.Resource
	ns       schemas.Namespace
}

// crowd is what waits in a lane whose request is under way.
type crowd struct {
	waiting []*caller
	under   int // requests under way
}

// abreast is how many requests of a lane are under way when one does not do, as for several
// sets of a namespace: the next is being looked at while the first is being stored.
const abreast = 2

type caller struct {
	line  []byte
	done  chan struct{}
	brief Brief
	err   error
}

// NewGatherer returns a gatherer of c's requests.
func NewGatherer(c *Client) *Gatherer { return &Gatherer{c: c, lanes: map[lane]*crowd{}} }

// Create creates objects of one namespace, each for itself as Client.Create would. For each it
// returns what it is now, or why it is not.
func (g *Gatherer) Create(ctx context.Context, r schemas.Resource, objs ...schemas.Object) ([]Brief, []error) {
	briefs, errs := make([]Brief, len(objs)), make([]error, len(objs))
	callers := make([]*caller, len(objs))
	var l lane
	for i, o := range objs {
		var line []byte
		if line, errs[i] = encodeObject(g.c.table, r, o); errs[i] == nil {
			l = lane{VerbCreateMany, r, schemas.Namespace(o.GetNamespace())}
			callers[i] = &caller{line: line, done: make(chan struct{})}
		}
	}
	c := g.enter(l, callers...)
	for i, me := range callers {
		if me != nil {
			briefs[i], errs[i] = me.wait(ctx, func() bool { return g.leave(c, me) })
		}
	}
	return briefs, errs
}

// Delete deletes the object.
func (g *Gatherer) Delete(ctx context.Context, ref schemas.Ref, o metav1.DeleteOptions) (Brief, error) {
	line, err := json.Marshal(Removal{Name: ref.Name, Delete: o})
	if err != nil {
		return Brief{}, fmt.Errorf("encode removal: %w", err)
	}
	return g.send(ctx, lane{VerbDeleteMany, ref.Resource, ref.Namespace}, line)
}

func (g *Gatherer) send(ctx context.Context, l lane, line []byte) (Brief, error) {
	me := &caller{line: line, done: make(chan struct{})}
	c := g.enter(l, me)
	return me.wait(ctx, func() bool { return g.leave(c, me) })
}

// enter has callers wait in l; nil ones are left out.
func (g *Gatherer) enter(l lane, callers ...*caller) *crowd {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.lanes[l]
	if c == nil {
		c = &crowd{}
	}
	for _, me := range callers {
		if me != nil {
			c.waiting = append(c.waiting, me)
		}
	}
	for len(c.waiting) > c.under*MaxMany && c.under < abreast {
		g.lanes[l] = c
		c.under++
		// It ends when the lane is empty; each of its requests is bounded in time.
		go g.run(l, c)
	}
	return c
}

// run sends what waits in l until nothing does.
func (g *Gatherer) run(l lane, c *crowd) {
	if g.Linger > 0 {
		time.Sleep(g.Linger)
	}
	for {
		callers := g.take(l, c)
		if callers == nil {
			return
		}
		lines := make([][]byte, len(callers))
		for i, o := range callers {
			lines[i] = o.line
		}
		briefs, err := g.c.many(context.Background(), l.verb, l.resource, l.ns, lines)
		for i, o := range callers {
			if o.err = err; err == nil {
				o.brief, o.err = briefs[i], briefs[i].Err()
			}
			close(o.done)
		}
	}
}

// take takes the next request's callers; with none a request less is under way, and after
// the last one the lane is closed.
func (g *Gatherer) take(l lane, c *crowd) []*caller {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, size := 0, 0
	for n < min(len(c.waiting), MaxMany) && (n == 0 || size+len(c.waiting[n].line) <= gatherBytes) {
		size += len(c.waiting[n].line)
		n++
	}
	if n == 0 {
		if c.under--; c.under == 0 {
			delete(g.lanes, l)
		}
		return nil
	}
	callers := c.waiting[:n:n]
	c.waiting = append([]*caller(nil), c.waiting[n:]...)
	return callers
}

// leave takes a caller out that has not been sent; false if it has.
func (g *Gatherer) leave(c *crowd, me *caller) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, o := range c.waiting {
		if o == me {
			c.waiting = append(c.waiting[:i:i], c.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// wait waits for the answer, or for ctx; what was sent by then may yet be done.
func (o *caller) wait(ctx context.Context, leave func() bool) (Brief, error) {
	select {
	case <-o.done:
		return o.brief, o.err
	case <-ctx.Done():
	}
	if leave() {
		return Brief{}, ctx.Err()
	}
	return Brief{}, fmt.Errorf("no answer came; whether it was done is unknown: %w", ctx.Err())
}
