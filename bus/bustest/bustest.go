// Package bustest gives tests a real bus: an embedded NATS server with JetStream
// in a temporary directory, without credentials, that can be stopped and started
// again over the same data.
//
// It writes only under the test's temporary directory and listens on one loopback
// port. What always holds: connections and server end before the test does, and a
// restarted server has the address it had before, so that clients come back.
package bustest

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
)

// startTimeout bounds how long a server may take to accept connections.
const startTimeout = 10 * time.Second

// Bus is a running server for one test.
type Bus struct {
	opts *server.Options

	mu  sync.Mutex
	srv *server.Server
}

// Option changes the server before it starts.
type Option func(*server.Options)

// SyncAlways lets the server fsync before each acknowledgement, as production does.
func SyncAlways() Option {
	return func(o *server.Options) { o.SyncAlways = true }
}

// MaxPayload limits one message's size.
func MaxPayload(n int32) Option {
	return func(o *server.Options) { o.MaxPayload = n }
}

// MaxPending is how much the server buffers for a client before it drops it.
func MaxPending(n int64) Option {
	return func(o *server.Options) { o.MaxPending = n }
}

// Start starts a server that is stopped when t ends.
func Start(t testing.TB, options ...Option) *Bus {
	t.Helper()
	b := &Bus{opts: &server.Options{
		ServerName:             "bustest",
		Host:                   "127.0.0.1",
		Port:                   server.RANDOM_PORT,
		JetStream:              true,
		StoreDir:               t.TempDir(),
		NoSigs:                 true,
		NoLog:                  true,
		DisableJetStreamBanner: true,
		JetStreamLimits:        server.JSLimitOpts{MaxBatchSize: bus.MaxBatch},
	}}
	for _, o := range options {
		o(b.opts)
	}
	b.Up(t)
	t.Cleanup(b.Stop)
	return b
}

// Up starts the server again after Stop, with the same data and address.
func (b *Bus) Up(t testing.TB) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	srv, err := server.NewServer(b.opts.Clone())
	if err != nil {
		t.Fatalf("make server: %v", err)
	}
	srv.Start()
	if !srv.ReadyForConnections(startTimeout) {
		srv.Shutdown()
		t.Fatalf("server is not ready after %s", startTimeout)
	}
	b.srv = srv
	b.opts.Port = srv.Addr().(*net.TCPAddr).Port
}

// Stop shuts the server down and waits. Its data stays until the test ends.
func (b *Bus) Stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.srv != nil {
		b.srv.Shutdown()
		b.srv.WaitForShutdown()
		b.srv = nil
	}
}

// Restart stops the server and starts it again with the same data and address.
func (b *Bus) Restart(t testing.TB) {
	t.Helper()
	b.Stop()
	b.Up(t)
}

// Kick closes every client's connection from the server's side, as a broken
// network would; clients reconnect.
func (b *Bus) Kick(t testing.TB) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	conns, err := b.srv.Connz(&server.ConnzOptions{Limit: 10000})
	if err != nil {
		t.Fatalf("list connections: %v", err)
	}
	for _, c := range conns.Conns {
		// A client that went by itself in the meantime is what was wanted.
		_ = b.srv.DisconnectClientByID(c.Cid)
	}
}

// URL is where the server listens.
func (b *Bus) URL() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.srv.ClientURL()
}

// Conn connects as user; the connection is closed when t ends.
func (b *Bus) Conn(t testing.TB, user bus.User) *bus.Conn {
	t.Helper()
	return connect(t, bus.Options{URL: b.URL(), User: user})
}

// Inside connects as user as the services of `skerry up` do, without a socket; the
// connection is closed when t ends, and finds a server that was started again.
func (b *Bus) Inside(t testing.TB, user bus.User) *bus.Conn {
	t.Helper()
	return connect(t, bus.Options{InProcess: b, User: user})
}

// InProcessConn connects to the server of the moment.
func (b *Bus) InProcessConn() (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.srv == nil {
		return nil, net.ErrClosed
	}
	return b.srv.InProcessConn()
}

func connect(t testing.TB, o bus.Options) *bus.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	o.Name, o.Log = t.Name(), slog.New(slog.DiscardHandler)
	c, err := bus.Connect(ctx, o)
	if err != nil {
		t.Fatalf("connect as %s: %v", o.User, err)
	}
	t.Cleanup(c.Close)
	return c
}

// Provisioned creates the buckets and streams and returns b.
func (b *Bus) Provisioned(t testing.TB) *Bus {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	c, err := bus.Connect(ctx, bus.Options{URL: b.URL(), User: "system:apiserver", Name: "provision"})
	if err != nil {
		t.Fatalf("connect to provision: %v", err)
	}
	defer c.Close()
	if err := store.Provision(ctx, c); err != nil {
		t.Fatalf("provision: %v", err)
	}
	return b
}
