// Package record sends Kubernetes events to the apiserver, which aggregates them.
//
// It writes by api requests only. What always holds: recording never blocks and
// never fails its caller; when the queue (256 events) is full the oldest is dropped
// and counted; one object cannot flood the others (25 events at once, then one
// every five minutes, as client-go's spam filter has it).
package record

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

const (
	queueSize = 256
	// lastCall is how long Run goes on sending after its context ended.
	lastCall = time.Second
	minDelay = 100 * time.Millisecond
	maxDelay = 10 * time.Second
)

// client is what the recorder needs of *api.Client.
type client interface {
	Create(ctx context.Context, r schemas.Resource, obj schemas.Object) (schemas.Object, error)
	Kind(obj schemas.Object) schema.GroupVersionKind
}

// Recorder queues events. Safe for concurrent use.
type Recorder struct {
	client client
	source corev1.EventSource
	log    *slog.Logger
	now    func() time.Time
	filter *filter

	arrived chan struct{} // one token: the queue is not empty

	mu      sync.Mutex
	queue   []*corev1.Event
	dropped uint64
}

// Option changes a recorder.
type Option func(*Recorder)

// Clock makes the recorder read the time from now: events' timestamps and the
// filter's refill.
func Clock(now func() time.Time) Option { return func(r *Recorder) { r.now = now } }

// New returns a recorder whose events name component (and host, "" if none) as their source.
func New(c *api.Client, component, host string, opts ...Option) *Recorder {
	return newRecorder(c, c.Conn().Log, component, host, opts...)
}

func newRecorder(c client, log *slog.Logger, component, host string, opts ...Option) *Recorder {
	r := &Recorder{
		client:  c,
		source:  corev1.EventSource{Component: component, Host: host},
		log:     log,
		now:     time.Now,
		filter:  newFilter(),
		arrived: make(chan struct{}, 1),
	}
	for _, o := range opts {
		o(r)
	}
	return r
}

// Event records an event about obj: type Normal or Warning, a CamelCase reason, a message.
func (r *Recorder) Event(obj schemas.Object, eventType, reason, message string) {
	now := r.now()
	e := newEvent(r.client.Kind(obj), obj, r.source, eventType, reason, message, now)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.filter.allow(e, now) {
		r.dropped++
		return
	}
	r.push(e)
}

// Eventf is Event with a format.
func (r *Recorder) Eventf(obj schemas.Object, eventType, reason, format string, args ...any) {
	r.Event(obj, eventType, reason, fmt.Sprintf(format, args...))
}

// Dropped is how many events were not sent: filtered, pushed out of the full
// queue, or refused by the apiserver.
func (r *Recorder) Dropped() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped
}

// push needs r.mu.
func (r *Recorder) push(e *corev1.Event) {
	if len(r.queue) == queueSize {
		r.queue[0] = nil
		r.queue = r.queue[1:]
		r.dropped++
	}
	r.queue = append(r.queue, e)
	select {
	case r.arrived <- struct{}{}:
	default:
	}
}

// pop returns the oldest event, nil if there is none.
func (r *Recorder) pop() *corev1.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		return nil
	}
	e := r.queue[0]
	r.queue[0] = nil
	r.queue = r.queue[1:]
	return e
}

func (r *Recorder) drop(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped += uint64(n)
}

// Run sends what is queued until ctx ends, then for at most a second more. It
// returns nil.
func (r *Recorder) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if e := r.pop(); e != nil {
			r.deliver(ctx, e)
			continue
		}
		select {
		case <-r.arrived:
		case <-ctx.Done():
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCall)
	defer cancel()
	for e := r.pop(); e != nil && last.Err() == nil; e = r.pop() {
		if err := r.create(last, e); err != nil {
			r.drop(1)
		}
	}
	return nil
}

// deliver sends e, waiting while no apiserver can be reached.
func (r *Recorder) deliver(ctx context.Context, e *corev1.Event) {
	for delay := minDelay; ; delay = min(2*delay, maxDelay) {
		err := r.create(ctx, e)
		switch {
		case err == nil:
			return
		case ctx.Err() != nil:
			r.again(e)
			return
		case !errors.Is(err, bus.ErrUnreachable):
			r.drop(1)
			r.log.Warn("record event", "event", e.Namespace+"/"+e.Name, "reason", e.Reason, "error", err)
			return
		}
		t := time.NewTimer(delay/2 + rand.N(delay))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			r.again(e)
			return
		}
	}
}

// again puts e back in front, for the last call.
func (r *Recorder) again(e *corev1.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == queueSize {
		r.dropped++
		return
	}
	r.queue = append([]*corev1.Event{e}, r.queue...)
}

func (r *Recorder) create(ctx context.Context, e *corev1.Event) error {
	_, err := r.client.Create(ctx, schemas.Events, e)
	return err
}
