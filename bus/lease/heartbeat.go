package lease

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
)

// beat is what a heartbeat says.
type beat struct {
	// TTLSeconds is how long the node may be silent before it is suspected: an observer
	// knows it from the node alone, whatever the node's own interval is.
	TTLSeconds int `json:"ttlSeconds"`
}

// pace is the answer to a heartbeat that asks for one.
type pace struct {
	// IntervalMillis is how often the observer asks to be told, so that all nodes together
	// do not tell it too much; 0: as often as they like.
	IntervalMillis int64 `json:"intervalMillis"`
}

// askEvery is how many heartbeats make one that asks for the pace.
const askEvery = 10

// Heartbeat tells every interval until ctx ends that node lives; one that could not be sent is
// followed by the next. ttl, in whole seconds, is how long silence means nothing. Of many
// nodes each tells more seldom, as the observer asks for, but never so seldom that the loss of one or two
// heartbeats meant anything.
func Heartbeat(ctx context.Context, conn *bus.Conn, node schemas.NodeName, interval, ttl time.Duration) error {
	value, err := json.Marshal(beat{TTLSeconds: int(ttl.Seconds())})
	if err != nil {
		return fmt.Errorf("encode heartbeat: %w", err)
	}
	h := &heart{nc: conn.NC, subject: bus.HeartbeatSubject(node), value: value, least: interval, most: max(interval, ttl*6/10), interval: interval}
	back := make(chan struct{}, 1)
	defer conn.OnReconnect(func() {
		select {
		case back <- struct{}{}:
		default:
		}
	})()
	next := time.NewTimer(interval)
	defer next.Stop()
	for n := 0; ; n++ {
		began := time.Now()
		if err := h.beat(ctx, n%askEvery == 0); err != nil {
			conn.Log.Debug("heartbeat missed", "node", node, "error", err)
		}
		next.Reset(h.interval - time.Since(began))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-next.C:
		case <-back:
			n = -1 // the observer may be another one
		}
	}
}

// heart is what beats.
type heart struct {
	nc          *nats.Conn
	subject     string
	value       []byte
	least, most time.Duration // of interval
	interval    time.Duration
}

// beat beats once. If it asks for the pace it waits for an answer, not longer than until the
// next beat is due; without one the pace stays as it is.
func (h *heart) beat(ctx context.Context, ask bool) error {
	if !ask {
		return h.nc.Publish(h.subject, h.value)
	}
	ctx, cancel := context.WithTimeout(ctx, h.interval)
	defer cancel()
	m, err := h.nc.RequestWithContext(ctx, h.subject, h.value)
	if err != nil {
		return err
	}
	var p pace
	if err := json.Unmarshal(m.Data, &p); err != nil {
		return fmt.Errorf("decode pace: %w", err)
	}
	h.interval = min(max(time.Duration(p.IntervalMillis)*time.Millisecond, h.least), h.most)
	return nil
}
