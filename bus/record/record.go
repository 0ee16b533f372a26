// Package record sends Kubernetes events to the apiserver, which aggregates them.
//
// It writes by api requests only. What always holds: recording never blocks and
// never fails its caller; when the queue (256 events) is full the oldest is dropped and counted.
package record

import (
	"context"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// Recorder queues events. Safe for concurrent use.
type Recorder struct{}

// New returns a recorder whose events name component (and host, "" if none) as their source.
func New(c *api.Client, component, host string) *Recorder { panic("skeleton") }

// Run sends what is queued until ctx ends, then for at most a second more.
func (r *Recorder) Run(ctx context.Context) error { panic("skeleton") }

// Event records an event about obj: type Normal or Warning, a CamelCase reason, a message.
func (r *Recorder) Event(obj schemas.Object, eventType, reason, message string) { panic("skeleton") }

// Eventf is Event with a format.
func (r *Recorder) Eventf(obj schemas.Object, eventType, reason, format string, args ...any) {
	panic("skeleton")
}
