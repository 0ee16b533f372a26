// Package lease elects leaders and keeps heartbeats, in the bucket leases.
//
// What always holds: at most one holder believes in a lease that the server
// still has; a holder that could not renew in time is told before the lease can
// be another's (its context is cancelled).
package lease

import (
	"context"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
)

// Lead runs f each time this process becomes the leader of service, with a
// context that is cancelled when leadership is lost, and waits for f to return
// before trying again. It returns when ctx ends. id names this replica. A clean
// end releases the lease at once.
func Lead(ctx context.Context, conn *bus.Conn, service, id string, f func(ctx context.Context) error) error {
	panic("skeleton")
}

// Heartbeat renews node's lease every interval until ctx ends; a missed renewal is
// retried. The lease expires on the server ttl after the last one.
func Heartbeat(ctx context.Context, conn *bus.Conn, node schemas.NodeName, interval, ttl time.Duration) error {
	panic("skeleton")
}

// Beat is a node's heartbeat as an observer sees it.
type Beat struct {
	Node schemas.NodeName
	// Lost is true when the lease expired or was released.
	Lost bool
}

// WatchHeartbeats reports every node's beats and losses until ctx ends. After a
// restart of the server (which forgets leases) no loss is reported before
// a grace of one ttl, so that the agents can come back first.
func WatchHeartbeats(ctx context.Context, conn *bus.Conn) <-chan Beat { panic("skeleton") }
