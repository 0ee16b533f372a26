package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// namespace is where everything is applied.
const namespace = schemas.Namespace(metav1.NamespaceDefault)

// patience is how long anything may take before the run is given up.
const patience = 3 * time.Minute

// eye is a client that watches the pods.
type eye struct {
	mu      sync.Mutex
	pods    map[string]*v1.Pod
	waiting []*wish
	done    chan struct{}
	err     error // once done is closed
}

// wish is something that somebody waits for.
type wish struct {
	right func(map[string]*v1.Pod) bool
	came  chan time.Time
}

// watch watches until ctx ends. It returns when the first list is there.
func watch(ctx context.Context, c *api.Client) *eye {
	e := &eye{pods: map[string]*v1.Pod{}, done: make(chan struct{})}
	listed := make(chan struct{})
	once := sync.OnceFunc(func() { close(listed) })
	go func() {
		defer close(e.done)
		e.err = api.Follow(ctx, c, schemas.Pods, namespace, metav1.ListOptions{}, api.Follower{
			Reset: func(objs []schemas.Object) {
				e.reset(objs)
				once()
			},
			Change: e.change,
		})
	}()
	select {
	case <-listed:
	case <-e.done:
	}
	return e
}

func (e *eye) reset(objs []schemas.Object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.pods)
	for _, o := range objs {
		if p, ok := o.(*v1.Pod); ok {
			e.pods[p.Name] = p
		}
	}
	e.look()
}

func (e *eye) change(event string, o schemas.Object) {
	p, ok := o.(*v1.Pod)
	if !ok {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if event == "DELETED" {
		delete(e.pods, p.Name)
	} else {
		e.pods[p.Name] = p
	}
	e.look()
}

// look grants what has come true. The time is that of the event, not of the waiter's turn.
func (e *eye) look() {
	now := time.Now()
	var still []*wish
	for _, w := range e.waiting {
		if w.right(e.pods) {
			w.came <- now
		} else {
			still = append(still, w)
		}
	}
	e.waiting = still
}

// expect returns a function that waits until right is true of the pods and returns
// when it became so. It counts from now on, whenever that function is called.
func (e *eye) expect(what string, right func(map[string]*v1.Pod) bool) func(context.Context) (time.Time, error) {
	w := &wish{right: right, came: make(chan time.Time, 1)}
	e.mu.Lock()
	e.waiting = append(e.waiting, w)
	e.look()
	e.mu.Unlock()
	return func(ctx context.Context) (time.Time, error) {
		select {
		case t := <-w.came:
			return t, nil
		case <-e.done:
			return time.Time{}, e.err
		case <-time.After(patience):
			return time.Time{}, fmt.Errorf("no %s after %s", what, patience)
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}

func isReady(p *v1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == v1.PodReady {
			return c.Status == v1.ConditionTrue
		}
	}
	return false
}

// count tells whether exactly n pods are there, all of them right.
func count(n int, right func(*v1.Pod) bool) func(map[string]*v1.Pod) bool {
	return func(pods map[string]*v1.Pod) bool {
		if len(pods) != n {
			return false
		}
		for _, p := range pods {
			if !right(p) {
				return false
			}
		}
		return true
	}
}
