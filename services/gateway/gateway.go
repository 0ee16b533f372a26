package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/gateway/caller"
	"github.com/skerry/skerry/services/gateway/openapi"
	"github.com/skerry/skerry/services/gateway/signer"
)

const (
	idleTimeout = 2 * time.Minute
	stopTimeout = 5 * time.Second
	// maxHeader is the most bytes of a request's headers.
	maxHeader = 64 << 10
)

// Limits bound what clients can take up. What is zero has a default.
type Limits struct {
	// Header is how long a client may take to say what it wants, Body how long its body
	// may take, and Write how long it may take nothing of an answer.
	Header, Body, Write time.Duration
	// Conns is how many connections there are at once, Requests how many requests, beside
	// those that last (watches, logs, commands), Lasting how many of those, and LastingOf how
	// many of those of one user.
	Conns, Requests, Lasting, LastingOf int
}

func (l Limits) complete() Limits {
	duration := func(d *time.Duration, standard time.Duration) {
		if *d == 0 {
			*d = standard
		}
	}
	number := func(n *int, standard int) {
		if *n == 0 {
			*n = standard
		}
	}
	duration(&l.Header, 10*time.Second)
	duration(&l.Body, 30*time.Second)
	duration(&l.Write, 30*time.Second)
	number(&l.Conns, 20_000)
	number(&l.Requests, 1024)
	number(&l.Lasting, 160_000)
	number(&l.LastingOf, 120_000)
	return l
}

// Config is what a gateway needs besides its connection to the bus.
type Config struct {
	// Listener accepts plain connections; Run speaks TLS on them and closes it.
	Listener net.Listener
	// Certificate is the server's, asked for at each handshake.
	Certificate func() (*tls.Certificate, error)
	// ClientCAs sign the clients' certificates; nil accepts none.
	ClientCAs *x509.CertPool
	// Authority certifies pods that ask for a certificate for this API; nil leaves them to others.
	Authority signer.Authority
	Table     *schemas.Table
	// Version is this binary's.
	Version string
	Limits  Limits
	Log     *slog.Logger
}

// server answers HTTP requests.
type server struct {
	Config
	conn    *bus.Conn
	client  *api.Client
	callers *caller.Finder
	book    *openapi.Book
	// stopping ends what lasts.
	stopping context.Context
	running  atomic.Int64
	lasting  api.Crowd
}

// Run serves until ctx ends, then lets requests that run end.
func Run(ctx context.Context, conn *bus.Conn, c Config) error {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Limits = c.Limits.complete()
	s := newServer(ctx, conn, c)
	hs := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: c.Limits.Header,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			NextProtos: []string{"h2", "http/1.1"},
			// Verified by the caller's finder, for each request: a certificate that has
			// ended meanwhile is none.
			ClientAuth:     tls.RequestClientCert,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.Certificate() },
		},
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 1000, SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second, WriteByteTimeout: c.Limits.Write},
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		err := hs.ServeTLS(limit(c.Listener, c.Limits.Conns), "", "")
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve HTTP: %w", err)
	})
	g.Go(func() error {
		<-gctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if hs.Shutdown(stop) != nil {
			return hs.Close()
		}
		return nil
	})
	if c.Authority != nil {
		g.Go(func() error { return unlessOver(gctx, signer.New(s.client, c.Authority, c.Log).Run(gctx)) })
	}
	c.Log.Info("serving", "address", c.Listener.Addr().String())
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("run gateway: %w", err)
	}
	return nil
}

// unlessOver is err, nil if all that happened is that ctx has ended.
func unlessOver(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func newServer(ctx context.Context, conn *bus.Conn, c Config) *server {
	client := api.NewClient(conn, c.Table)
	return &server{
		Config: c, conn: conn, client: client, stopping: ctx,
		lasting: api.Crowd{What: "watches, logs and sessions", Most: c.Limits.Lasting, MostOf: c.Limits.LastingOf},
		callers: caller.New(c.ClientCAs, &caller.Pods{Ask: client.Do}, &caller.Tokens{Ask: client.Do}), book: openapi.New("v1." + kubernetesMinor),
	}
}
