package event

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/share"
)

// Log is a live copy of the stream. Safe for concurrent use.
type Log struct {
	stream *store.Store
	log    *slog.Logger
	handle func(view.Change)

	texts *share.Pool // events say much the same

	turn sync.Mutex // held while a change is taken in and handed out
	mu   sync.RWMutex
	kept *bounded
	rev  store.Revision
	// moved closes when rev grows.
	moved  chan struct{}
	synced chan struct{}
}

// NewLog returns a copy that hands its changes to handle; nothing is read before Run.
func NewLog(conn *bus.Conn, log *slog.Logger, handle func(view.Change)) *Log {
	return &Log{
		stream: store.New(conn, bus.StreamEvents), log: log, handle: handle, texts: share.New(),
		kept: newBounded(store.KeptEventBytes), moved: make(chan struct{}), synced: make(chan struct{}),
	}
}

// Run follows the stream until ctx ends. The stream itself forgets what is old, and
// says so.
func (l *Log) Run(ctx context.Context) error {
	for e := range l.stream.Watch(ctx, nil, ">") {
		l.take(e)
	}
	return ctx.Err()
}

func (l *Log) take(e store.Event) {
	l.turn.Lock()
	defer l.turn.Unlock()
	if !e.Synced && !e.Progress {
		l.apply(e.Entry)
	}
	if !e.Listed {
		l.mu.Lock()
		l.rev = max(l.rev, e.Revision)
		close(l.moved)
		l.moved = make(chan struct{})
		l.mu.Unlock()
	}
	if e.Synced {
		select {
		case <-l.synced:
		default:
			close(l.synced)
		}
	}
}

func (l *Log) apply(e store.Entry) {
	ref, err := refOf(e.Key)
	if err != nil {
		l.log.Warn("skip an event", "key", e.Key, "error", err)
		return
	}
	if e.Deleted {
		l.remove(ref, e.Revision)
		return
	}
	ev, err := decode(e)
	if err != nil {
		l.log.Warn("skip an event", "key", e.Key, "error", err)
		return
	}
	l.share(ev)
	l.mu.Lock()
	old := l.kept.all[ref].Event
	over := l.kept.put(ref, held{ev, e.Revision, len(bus.StreamEvents) + 1 + len(e.Key) + len(e.Value) + overhead})
	l.mu.Unlock()
	c := view.Change{Type: view.Added, Ref: ref, Object: ev, Revision: e.Revision}
	if old != nil {
		c.Type, c.Old = view.Modified, old
	}
	l.handle(c)
	for _, r := range over {
		l.remove(r, e.Revision)
	}
}

// remove takes an event out, and hands that on.
func (l *Log) remove(ref schemas.Ref, at store.Revision) {
	l.mu.Lock()
	old := l.kept.remove(ref)
	l.mu.Unlock()
	if old != nil {
		l.handle(view.Change{Type: view.Deleted, Ref: ref, Object: old, Old: old, Revision: at})
	}
}

// Synced closes when the first list is in.
func (l *Log) Synced() <-chan struct{} { return l.synced }

// Get implements replica.Copy.
func (l *Log) Get(ref schemas.Ref) (schemas.Object, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	e, ok := l.kept.all[ref]
	if !ok {
		return nil, false
	}
	return e.Event, true
}

// List implements replica.Copy.
func (l *Log) List(_ schemas.Resource, ns schemas.Namespace) []schemas.Object {
	l.mu.RLock()
	out := make([]schemas.Object, 0, len(l.kept.all))
	for ref, e := range l.kept.all {
		if ns == "" || ref.Namespace == ns {
			out = append(out, e.Event)
		}
	}
	l.mu.RUnlock()
	slices.SortFunc(out, func(a, b schemas.Object) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
	return out
}

// Revision implements replica.Copy.
func (l *Log) Revision() store.Revision {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.rev
}

// WaitFor implements replica.Copy.
func (l *Log) WaitFor(ctx context.Context, rev store.Revision) error {
	for {
		l.mu.RLock()
		at, moved := l.rev, l.moved
		l.mu.RUnlock()
		if at >= rev {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("wait for event revision %d (at %d): %w", rev, at, ctx.Err())
		}
	}
}

// Settle returns once what Get and List show has been handed on.
func (l *Log) Settle() {
	l.turn.Lock()
	defer l.turn.Unlock()
}

// Reach implements replica.Copy.
func (l *Log) Reach(ctx context.Context) (store.Revision, error) { return l.stream.Reach(ctx) }

func decode(e store.Entry) (*v1.Event, error) {
	ev := &v1.Event{}
	if err := json.Unmarshal(e.Value, ev); err != nil {
		return nil, fmt.Errorf("decode event: %w", err)
	}
	ev.Kind, ev.APIVersion = "Event", "v1"
	ev.ResourceVersion = strconv.FormatUint(uint64(e.Revision), 10)
	return ev, nil
}

// share has the texts that many events say in memory once.
func (l *Log) share(ev *v1.Event) {
	o := &ev.InvolvedObject
	l.texts.Texts(&ev.Namespace, &o.Kind, &o.Namespace, &o.Name, (*string)(&o.UID), &o.APIVersion, &o.FieldPath,
		&ev.Reason, &ev.Message, &ev.Type, &ev.Action, &ev.Source.Component, &ev.Source.Host, &ev.ReportingController, &ev.ReportingInstance)
}

// keyOf is ref's key in the stream: <namespace>.<name>.
func keyOf(ref schemas.Ref) bus.Key {
	return bus.Key(strings.TrimPrefix(bus.EventSubject(ref.Namespace, ref.Name), bus.StreamEvents+"."))
}

func refOf(k bus.Key) (schemas.Ref, error) {
	ns, name, ok := strings.Cut(string(k), ".")
	if !ok {
		return schemas.Ref{}, fmt.Errorf("parse key %q: not <namespace>.<name>", k)
	}
	if ns == bus.None {
		ns = ""
	}
	n, err := bus.Unescape(ns)
	if err != nil {
		return schemas.Ref{}, err
	}
	m, err := bus.Unescape(name)
	return schemas.Ref{Resource: schemas.Events, Namespace: schemas.Namespace(n), Name: schemas.Name(m)}, err
}
