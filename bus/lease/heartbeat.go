package lease

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

// beat is a heartbeat's value.
type beat struct {
	// TTLSeconds tells observers how long the node may be silent.
	TTLSeconds int `json:"ttlSeconds"`
}

// Heartbeat renews node's lease every interval until ctx ends; a missed renewal is
// retried at the next. The lease expires on the server ttl (whole seconds) after
// the last one. A heartbeat is no state and has one writer by permission, so it
// alone does not compare and swap.
func Heartbeat(ctx context.Context, conn *bus.Conn, node schemas.NodeName, interval, ttl time.Duration) error {
	value, err := json.Marshal(beat{TTLSeconds: int(ttl.Seconds())})
	if err != nil {
		return err
	}
	m := nats.NewMsg(bus.KVSubject(bus.BucketLeases, bus.NodeLeaseKey(node)))
	m.Data = value
	m.Header.Set("Nats-TTL", ttl.String())
	back := make(chan struct{}, 1)
	defer conn.OnReconnect(func() {
		select {
		case back <- struct{}{}:
		default:
		}
	})()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		// Nobody waits for an acknowledgement: the next beat is what a lost one is
		// followed by either way, and of thousands of nodes it would be half the cost.
		if err := conn.NC.PublishMsg(m); err != nil {
			conn.Log.Debug("heartbeat missed", "node", node, "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-back:
		}
	}
}

// Beat is a node's heartbeat as an observer sees it.
type Beat struct {
	Node schemas.NodeName
	// Lost is true when the lease expired and no beat came for one ttl more.
	Lost bool
}

// WatchHeartbeats reports every node's beats and losses until ctx ends, then
// closes the channel. A lease that is gone is only a suspicion: the server may
// have restarted (it forgets leases), or the observer may have been cut off. The
// loss is reported if the node stays silent for one ttl more.
func WatchHeartbeats(ctx context.Context, conn *bus.Conn) <-chan Beat {
	out := make(chan Beat, 64)
	go func() {
		defer close(out)
		w := &watcher{out: out, ttl: map[schemas.NodeName]time.Duration{}, suspects: map[schemas.NodeName]time.Time{}}
		w.run(ctx, store.New(conn, bus.BucketLeases).Watch(ctx, nil, "node.>"), conn)
	}()
	return out
}

type watcher struct {
	out      chan<- Beat
	ttl      map[schemas.NodeName]time.Duration
	suspects map[schemas.NodeName]time.Time // when the suspicion becomes a loss
}

func (w *watcher) run(ctx context.Context, events <-chan store.Event, conn *bus.Conn) {
	check := time.NewTimer(time.Hour)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok {
				return
			}
			w.event(ctx, e)
		case now := <-check.C:
			w.confirm(ctx, now, conn.Connected())
		}
		if len(w.suspects) > 0 { // otherwise nothing wakes an idle cluster
			check.Reset(250 * time.Millisecond)
		}
	}
}

func (w *watcher) event(ctx context.Context, e store.Event) {
	if e.Synced || e.Progress {
		return
	}
	node, err := bus.ParseNodeLeaseKey(e.Key)
	if err != nil {
		return
	}
	if e.Deleted {
		// A marker of a node that was never seen is an old loss: it counts too.
		ttl := w.ttl[node]
		if ttl == 0 {
			ttl = 10 * time.Second
		}
		if _, already := w.suspects[node]; !already {
			w.suspects[node] = time.Now().Add(ttl)
		}
		return
	}
	var b beat
	if json.Unmarshal(e.Value, &b) == nil && b.TTLSeconds > 0 {
		w.ttl[node] = time.Duration(b.TTLSeconds) * time.Second
	}
	delete(w.suspects, node)
	w.send(ctx, Beat{Node: node})
}

// confirm reports the suspects whose time is up. While the observer itself is cut
// off it knows nothing: suspicions are put off.
func (w *watcher) confirm(ctx context.Context, now time.Time, connected bool) {
	for node, at := range w.suspects {
		switch {
		case !connected:
			w.suspects[node] = now.Add(w.ttl[node])
		case now.After(at):
			delete(w.suspects, node)
			w.send(ctx, Beat{Node: node, Lost: true})
		}
	}
}

func (w *watcher) send(ctx context.Context, b Beat) {
	select {
	case w.out <- b:
	case <-ctx.Done():
	}
}
