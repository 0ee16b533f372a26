// Package record sends Kubernetes events to the apiserver, which aggregates them.
//
// It writes by api requests only. What always holds: recording never blocks and
// never fails its caller; when the queue (256 events) is full the oldest is dropped
// and counted; one object cannot flood the others (25 events at once, then one
// every five minutes, as client-go's spam filter has it); an apiserver that has too many
// is spared, but for Warnings.
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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/schemas"
)

const (
	queueSize = 256
	// lastCall is how long Run goes on sending after its context ended.
	lastCall = time.Second
	// linger is how long events wait for company: a pod that starts makes several.
	linger = 50 * time.Millisecond
	// firstHush is about how long nothing ordinary is told after the apiserver had too many
	// events, and lastHush if it has again and again: what would be refused costs as much as what is kept,
	// and of 5,000 nodes each tries for itself.
	firstHush = 5 * time.Second
	lastHush  = 40 * time.Second
	minDelay  = 100 * time.Millisecond
	maxDelay  = 10 * time.Second
)

// client is what the recorder needs of *api.Client.
type client interface {
	CreateMany(ctx context.Context, r schemas.Resource, ns schemas.Namespace, objs []schemas.Object) ([]api.Brief, error)
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
	hushed  time.Time // until then, Warnings only
	hush    time.Duration
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
	r.EventAt(obj, "", eventType, reason, message)
}

// Voice is a recorder whose events name another component as their source: of several that
// share a process and its queue. Safe for concurrent use.
type Voice struct {
	r      *Recorder
	source corev1.EventSource
}

// As returns the recorder's voice of component.
func (r *Recorder) As(component string) *Voice {
	return &Voice{r, corev1.EventSource{Component: component, Host: r.source.Host}}
}

// Event is the recorder's.
func (v *Voice) Event(obj schemas.Object, eventType, reason, message string) {
	v.r.record(v.source, obj, "", eventType, reason, message)
}

// EventAt is Event about a part of obj, such as spec.containers{web} of a pod.
func (r *Recorder) EventAt(obj schemas.Object, fieldPath, eventType, reason, message string) {
	r.record(r.source, obj, fieldPath, eventType, reason, message)
}

func (r *Recorder) record(source corev1.EventSource, obj schemas.Object, fieldPath, eventType, reason, message string) {
	now := r.now()
	if eventType == corev1.EventTypeNormal && r.isHushed(now) {
		return
	}
	kind := r.client.Kind(obj)
	if !r.allowed(kind, obj, now) {
		return // a set whose thousand pods were made is told of 25: not making the others is most of it
	}
	e := newEvent(kind, obj, fieldPath, source, eventType, reason, message, now)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.push(e)
}

// allowed asks the filter for one more event about obj, and counts one that is not sent.
func (r *Recorder) allowed(kind schema.GroupVersionKind, obj schemas.Object, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.filter.allow(object{kind, obj.GetNamespace(), obj.GetName(), obj.GetUID()}, now) {
		return true
	}
	r.dropped++
	return false
}

// isHushed tells whether ordinary events are not sent now, and counts one that is not.
func (r *Recorder) isHushed(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !now.Before(r.hushed) {
		return false
	}
	r.dropped++
	return true
}

// told takes in whether the apiserver took ordinary events, or had too many.
func (r *Recorder) told(refused bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if now.Before(r.hushed) {
		return // a Warning, or of what was on its way: it says nothing of what comes after
	}
	if !refused {
		r.hush = 0
		return
	}
	r.hush = min(max(2*r.hush, firstHush), lastHush)
	r.hushed = now.Add(r.hush/2 + rand.N(r.hush))
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

// pop returns the oldest events of one namespace, none if there are none.
func (r *Recorder) pop() (ns schemas.Namespace, events []schemas.Object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rest := r.queue[:0]
	for _, e := range r.queue {
		if len(events) == 0 {
			ns = schemas.Namespace(e.Namespace)
		}
		if schemas.Namespace(e.Namespace) == ns {
			events = append(events, e)
		} else {
			rest = append(rest, e)
		}
	}
	clear(r.queue[len(rest):])
	r.queue = rest
	return ns, events
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
		select {
		case <-r.arrived:
			r.gather(ctx)
		case <-ctx.Done():
		}
		for ctx.Err() == nil {
			ns, events := r.pop()
			if len(events) == 0 {
				break
			}
			r.deliver(ctx, ns, events)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCall)
	defer cancel()
	for last.Err() == nil {
		ns, events := r.pop()
		if len(events) == 0 {
			break
		}
		if err := r.create(last, ns, events); err != nil {
			r.drop(len(events))
		}
	}
	return nil
}

// gather waits for what comes right after.
func (r *Recorder) gather(ctx context.Context) {
	t := time.NewTimer(linger)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// deliver sends events of one namespace, waiting while no apiserver can be reached.
func (r *Recorder) deliver(ctx context.Context, ns schemas.Namespace, events []schemas.Object) {
	for delay := minDelay; ; delay = min(2*delay, maxDelay) {
		err := r.create(ctx, ns, events)
		switch {
		case err == nil:
			return
		case ctx.Err() != nil:
			r.again(events)
			return
		case !errors.Is(err, bus.ErrUnreachable):
			r.drop(len(events))
			r.log.Warn("record events", "namespace", ns, "count", len(events), "error", err)
			return
		}
		if pause.About(ctx, delay) != nil {
			r.again(events)
			return
		}
	}
}

// again puts events back in front, for the last call.
func (r *Recorder) again(events []schemas.Object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	front := make([]*corev1.Event, 0, len(events)+len(r.queue))
	for _, o := range events {
		if e, ok := o.(*corev1.Event); ok {
			front = append(front, e)
		}
	}
	r.queue = append(front, r.queue...)
	if over := len(r.queue) - queueSize; over > 0 {
		r.queue = r.queue[over:]
		r.dropped += uint64(over)
	}
}

// create sends events. Those that are refused are counted: what is refused once is
// refused again.
func (r *Recorder) create(ctx context.Context, ns schemas.Namespace, events []schemas.Object) error {
	briefs, err := r.client.CreateMany(ctx, schemas.Events, ns, events)
	if err != nil {
		return err
	}
	refused := false
	for i, b := range briefs {
		if err := b.Err(); err != nil {
			r.drop(1)
			level := slog.LevelWarn
			if apierrors.IsTooManyRequests(err) {
				level, refused = slog.LevelDebug, true
			}
			r.log.Log(ctx, level, "record event", "event", ns+"/"+schemas.Namespace(events[i].GetName()), "error", err)
		}
	}
	r.told(refused)
	return nil
}
