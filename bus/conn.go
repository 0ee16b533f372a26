package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus/pause"
)

// Options says how to reach the bus and as whom.
type Options struct {
	// URL is the server's URL, or several separated by commas. Ignored with InProcess.
	URL string
	// User must be the user the credentials are for: it names the inbox and subjects.
	User User
	// Creds is a NATS credentials file's content (JWT and nkey seed).
	Creds []byte
	// TLS is nil for plain connections.
	TLS *tls.Config
	// InProcess connects to an embedded server of this process without a socket.
	InProcess interface {
		InProcessConn() (net.Conn, error)
	}
	// Dialer makes the connections to URL's servers; nil is the network's own way.
	Dialer interface {
		Dial(network, address string) (net.Conn, error)
	}
	// Name is shown by the server's connection list: the service's name.
	Name string
	// Log gets connects and disconnects. Nil discards.
	Log *slog.Logger
}

// Conn is a connection to the bus under one identity. It reconnects for ever,
// with back-off and jitter. Safe for concurrent use.
type Conn struct {
	// NC is for bus's own subpackages; services do not touch NATS.
	NC   *nats.Conn
	User User
	Log  *slog.Logger
	// InProcess: the server is in this process, and there is no other one.
	InProcess bool

	mu        sync.Mutex
	reconnect map[int]func()
	nextHook  int

	sharing sync.Mutex
	shared  map[any]any
}

var (
	// ErrUnreachable is returned by Connect if no server answers.
	ErrUnreachable = errors.New("the bus cannot be reached")
	// ErrDenied is returned by Connect if the server does not accept the credentials.
	ErrDenied = errors.New("the bus does not accept the credentials")
)

// Connect connects to the bus. It returns ErrUnreachable or ErrDenied if the first
// attempt fails; ctx bounds only that attempt. The caller closes the connection.
func Connect(ctx context.Context, o Options) (*Conn, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Conn{User: o.User, Log: o.Log, InProcess: o.InProcess != nil, reconnect: map[int]func(){}}
	timeout := 5 * time.Second
	if d, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(d))
	}
	opts := []nats.Option{
		nats.Name(o.Name),
		nats.Timeout(timeout),
		nats.MaxReconnects(-1),
		nats.CustomReconnectDelay(reconnectDelay),
		// Writes while disconnected must fail at once: callers retry with fresh state.
		nats.ReconnectBufSize(-1),
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.CustomInboxPrefix(InboxPrefix(o.User)),
		nats.IgnoreAuthErrorAbort(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil: we closed it ourselves
				o.Log.Warn("disconnected from the bus", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			o.Log.Info("reconnected to the bus")
			c.runHooks()
		}),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			subject := ""
			if s != nil {
				subject = s.Subject
			}
			o.Log.Error("bus error", "subject", subject, "error", err)
		}),
	}
	if len(o.Creds) > 0 {
		opts = append(opts, nats.UserCredentialBytes(o.Creds))
	}
	if o.TLS != nil {
		opts = append(opts, nats.Secure(o.TLS))
	}
	if o.Dialer != nil {
		opts = append(opts, nats.SetCustomDialer(o.Dialer))
	}
	if o.InProcess != nil {
		// A server that asks for TLS asks on this pipe too. Nobody can be in between,
		// and the certificate names no pipe: it is not verified.
		opts = append(opts, nats.InProcessServer(o.InProcess), func(n *nats.Options) error {
			n.TLSConfig = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
			return nil
		})
	}
	nc, err := nats.Connect(o.URL, opts...)
	switch {
	case errors.Is(err, nats.ErrAuthorization):
		return nil, fmt.Errorf("connect to %s: %w", o.URL, ErrDenied)
	case err != nil:
		return nil, fmt.Errorf("connect to %s: %w: %w", o.URL, ErrUnreachable, err)
	}
	c.NC = nc
	return c, nil
}

// ConnectRetry is Connect for services, which may start before the bus does: while
// no server answers it tries again, with back-off, until ctx ends.
func ConnectRetry(ctx context.Context, o Options) (*Conn, error) {
	for attempt := 0; ; attempt++ {
		c, err := Connect(ctx, o)
		if err == nil || !errors.Is(err, ErrUnreachable) {
			return c, err
		}
		if o.Log != nil {
			o.Log.Warn("waiting for the bus", "error", err)
		}
		if pause.For(ctx, reconnectDelay(attempt)) != nil {
			return nil, err
		}
	}
}

// reconnectDelay backs off from 100 ms to 5 s, with jitter so that a thousand
// agents do not come back in one instant.
func reconnectDelay(attempts int) time.Duration {
	d := 100 * time.Millisecond << min(attempts, 6)
	d = min(d, 5*time.Second)
	return d/2 + rand.N(d)
}

// OnReconnect calls f (in its own goroutine's turn, not concurrently with itself)
// after every reconnect until the returned function is called. What was published
// while the connection was away is lost to plain subscriptions: f re-reads.
func (c *Conn) OnReconnect(f func()) (cancel func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.nextHook
	c.nextHook++
	c.reconnect[id] = f
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.reconnect, id)
	}
}

func (c *Conn) runHooks() {
	c.mu.Lock()
	hooks := make([]func(), 0, len(c.reconnect))
	for _, f := range c.reconnect {
		hooks = append(hooks, f)
	}
	c.mu.Unlock()
	for _, f := range hooks {
		f()
	}
}

// Shared returns what belongs to key on this connection: what made returns when it is
// asked for first. For bus's own subpackages, whose parts share subscriptions.
func (c *Conn) Shared(key any, made func() (any, error)) (any, error) {
	c.sharing.Lock()
	defer c.sharing.Unlock()
	if v, ok := c.shared[key]; ok {
		return v, nil
	}
	v, err := made()
	if err != nil {
		return nil, err
	}
	if c.shared == nil {
		c.shared = map[any]any{}
	}
	c.shared[key] = v
	return v, nil
}

// Connected tells whether the connection is up now.
func (c *Conn) Connected() bool { return c.NC.IsConnected() }

// Close flushes what was published, for at most a second, and closes.
func (c *Conn) Close() {
	_ = c.NC.FlushTimeout(time.Second)
	c.NC.Close()
}
