package main

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

const namespace = schemas.Namespace(metav1.NamespaceDefault)

// eye is a client that watches the pods of the namespace. It looks for the name and
// the phase in each event's text: decoding everything would take the processors from
// what is measured.
type eye struct {
	mu      sync.Mutex
	running map[string]bool // by name: every pod there is, and whether it runs
	up      int             // how many run
	first   time.Time       // when the first pod ran
	waiting []*wish
	done    chan struct{}
	err     error // once done is closed
	seen    func(event string, name string, running bool)
	given   chan error // why there is nothing to wait for any more
}

type wish struct {
	right func(there, up int) bool
	came  chan time.Time
}

// look starts an eye and returns once it watches: from what there is now.
func look(ctx context.Context, c *api.Client, seen func(event, name string, running bool)) (*eye, error) {
	e := &eye{running: map[string]bool{}, done: make(chan struct{}), seen: seen, given: make(chan error, 1)}
	reply, err := c.Do(ctx, &api.Request{Verb: api.VerbList, Resource: schemas.Pods, Namespace: namespace, List: &metav1.ListOptions{Limit: 1}})
	if err != nil {
		return nil, err
	}
	version := between(reply.Body, `"resourceVersion":"`)
	if bytes.Contains(reply.Body, []byte(`"items":[{`)) {
		return nil, fmt.Errorf("there are pods already")
	}
	go func() {
		defer close(e.done)
		e.err = c.WatchRaw(ctx, schemas.Pods, namespace, metav1.ListOptions{ResourceVersion: version}, func(w api.WatchEvent) error {
			e.change(w)
			return nil
		})
	}()
	return e, nil
}

// between returns what follows after up to the next quote.
func between(b []byte, after string) string {
	_, rest, ok := bytes.Cut(b, []byte(after))
	if !ok {
		return ""
	}
	value, _, _ := bytes.Cut(rest, []byte{'"'})
	return string(value)
}

func (e *eye) change(w api.WatchEvent) {
	name := between(w.Object, `"metadata":{"name":"`)
	running := bytes.Contains(w.Object, []byte(`"phase":"Running"`))
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running[name] {
		e.up--
	}
	if w.Type == "DELETED" {
		delete(e.running, name)
	} else {
		e.running[name] = running
		if running {
			e.up++
		}
	}
	if e.first.IsZero() && running {
		e.first = time.Now()
	}
	if e.seen != nil {
		e.seen(w.Type, name, running)
	}
	e.grant()
}

// grant tells those whose wish has come true. The time is that of the event.
func (e *eye) grant() {
	now := time.Now()
	var still []*wish
	for _, w := range e.waiting {
		if w.right(len(e.running), e.up) {
			w.came <- now
		} else {
			still = append(still, w)
		}
	}
	e.waiting = still
}

// expect returns a function that waits until right is true and returns when it
// became so.
func (e *eye) expect(what string, patience time.Duration, right func(there, up int) bool) func(context.Context) (time.Time, error) {
	w := &wish{right: right, came: make(chan time.Time, 1)}
	e.mu.Lock()
	e.waiting = append(e.waiting, w)
	e.grant()
	e.mu.Unlock()
	return func(ctx context.Context) (time.Time, error) {
		limit := time.NewTimer(patience)
		defer limit.Stop()
		select {
		case t := <-w.came:
			return t, nil
		case <-e.done:
			return time.Time{}, fmt.Errorf("the watch ended: %w", e.err)
		case err := <-e.given:
			return time.Time{}, err
		case <-limit.C:
			there, up := e.count()
			return time.Time{}, fmt.Errorf("no %s after %s: %d pods, %d run", what, patience, there, up)
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}

// give has whoever waits fail with err.
func (e *eye) give(err error) { e.given <- err }

// count is how many pods there are, and how many run.
func (e *eye) count() (there, up int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.running), e.up
}

func all(n int) func(there, up int) bool {
	return func(there, up int) bool { return there == n && up == n }
}

func isNodeReady(o schemas.Object) bool {
	n, ok := o.(*v1.Node)
	if !ok {
		return false
	}
	for _, c := range n.Status.Conditions {
		if c.Type == v1.NodeReady && c.Status == v1.ConditionTrue {
			for _, t := range n.Spec.Taints {
				if t.Effect == v1.TaintEffectNoSchedule {
					return false
				}
			}
			return true
		}
	}
	return false
}
