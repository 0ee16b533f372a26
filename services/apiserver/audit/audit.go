// Package audit records every write: who did what to which object, and what came of it.
//
// It writes audit.<user>.<verb>. What always holds: recording never blocks a request;
// what does not fit in the queue is dropped and counted in the next record.
package audit

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
)

// queued is how many records may wait for the bus.
const queued = 1024

// Record is one line of the audit.
type Record struct {
	Time time.Time `json:"time"`
	User bus.User  `json:"user"`
	// By is who asked for User: the connection's user, and whom that acted for.
	By          []bus.User `json:"by,omitempty"`
	Verb        api.Verb   `json:"verb"`
	Object      string     `json:"object"`
	Subresource string     `json:"subresource,omitempty"`
	// Objects are the names that a request for many came to, or why one did not.
	Objects []string `json:"objects,omitempty"`
	Code    int32    `json:"code"`
	// Note is what Pod Security, in its audit mode, had to say.
	Note     string  `json:"note,omitempty"`
	Reason   string  `json:"reason,omitempty"`
	Revision string  `json:"resourceVersion,omitempty"`
	Millis   float64 `json:"ms"`
	// Dropped is how many records before this one were lost.
	Dropped uint64 `json:"dropped,omitempty"`
}

// Log queues and publishes records. Safe for concurrent use.
type Log struct {
	publish func(subject string, data []byte) error
	log     *slog.Logger
	queue   chan Record
	dropped atomic.Uint64
}

// New returns a log that publishes on conn; nothing is published before Run.
func New(conn *bus.Conn, log *slog.Logger) *Log {
	return &Log{publish: conn.Publish, log: log, queue: make(chan Record, queued)}
}

// Add queues r.
func (l *Log) Add(r Record) {
	select {
	case l.queue <- r:
	default:
		l.dropped.Add(1)
	}
}

// Run publishes until ctx ends, then what is queued.
func (l *Log) Run(ctx context.Context) error {
	for {
		select {
		case r := <-l.queue:
			l.send(r)
		case <-ctx.Done():
			for {
				select {
				case r := <-l.queue:
					l.send(r)
				default:
					return ctx.Err()
				}
			}
		}
	}
}

func (l *Log) send(r Record) {
	r.Dropped = l.dropped.Swap(0)
	data, err := json.Marshal(r)
	if err == nil {
		err = l.publish(bus.AuditSubject(r.User, string(r.Verb)), data)
	}
	if err != nil {
		l.dropped.Add(r.Dropped + 1)
		l.log.Warn("audit record lost", "user", r.User, "verb", r.Verb, "object", r.Object, "error", err)
	}
}
