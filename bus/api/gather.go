package api

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

// gatherBytes bounds one gathered request.
const gatherBytes = 4 << 20

// Gatherer sends what many callers create and delete at the same time as one request.
// Nobody waits for company: with nothing under way a request goes at once, and what
// comes meanwhile goes together when it is back. Safe for concurrent use.
type Gatherer struct {
	c *Client

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
type crowd struct{ waiting []*caller }

type caller struct {
	line  []byte
	done  chan struct{}
	brief Brief
	err   error
}

// NewGatherer returns a gatherer of c's requests.
func NewGatherer(c *Client) *Gatherer { return &Gatherer{c: c, lanes: map[lane]*crowd{}} }

// Create creates obj and returns what it is now.
func (g *Gatherer) Create(ctx context.Context, r schemas.Resource, obj schemas.Object) (Brief, error) {
	line, err := encodeObject(g.c.table, r, obj)
	if err != nil {
		return Brief{}, err
	}
	return g.send(ctx, lane{VerbCreateMany, r, schemas.Namespace(obj.GetNamespace())}, line)
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
	g.mu.Lock()
	c := g.lanes[l]
	idle := c == nil
	if idle {
		c = &crowd{}
		g.lanes[l] = c
	}
	c.waiting = append(c.waiting, me)
	g.mu.Unlock()
	if idle {
		// It ends when the lane is empty; each of its requests is bounded in time.
		go g.run(l, c)
	}
	return me.wait(ctx, func() bool { return g.leave(c, me) })
}

// run sends what waits in l until nothing does.
func (g *Gatherer) run(l lane, c *crowd) {
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

// take takes the next request's callers; with none it closes the lane.
func (g *Gatherer) take(l lane, c *crowd) []*caller {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, size := 0, 0
	for n < min(len(c.waiting), MaxMany) && (n == 0 || size+len(c.waiting[n].line) <= gatherBytes) {
		size += len(c.waiting[n].line)
		n++
	}
	if n == 0 {
		delete(g.lanes, l)
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
