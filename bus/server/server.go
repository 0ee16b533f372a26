// Package server runs the embedded NATS server of `skerry up`.
//
// It writes JetStream's files under its data directory. What always holds: it
// fsyncs before it acknowledges (sync_interval: always), only holders of the
// authority's credentials can connect, and a disk that was full and has room again is written to again.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
)

// MaxPayload is the largest message, in bytes: what NATS' authors advise at most.
const MaxPayload = 8 << 20

// Config is where the server keeps its data and listens.
type Config struct {
	DataDir string
	// Listen is "host:port"; "" for in-process connections only; port 0 picks one.
	Listen   string
	Identity identity.ServerConfig
	TLSCert  string // files; both or none
	TLSKey   string
	Log      *slog.Logger
}

// Server is a running server. Safe for concurrent use.
type Server struct {
	config Config // with the address that it has
	url    string

	mu sync.Mutex
	ns *server.Server // nil while it starts anew

	end  context.CancelFunc
	done chan struct{}
}

// Start starts a server and returns when it accepts connections (some 10 ms).
func Start(ctx context.Context, c Config) (*Server, error) { return start(ctx, c, healthEvery) }

func start(ctx context.Context, c Config, every time.Duration) (*Server, error) {
	if err := listenable(c.Listen); err != nil {
		return nil, fmt.Errorf("start bus server: %w", err)
	}
	ns, err := run(ctx, c)
	if err != nil {
		return nil, err
	}
	s := &Server{config: c, ns: ns, done: make(chan struct{})}
	if ns.Addr() != nil {
		s.url, s.config.Listen = ns.ClientURL(), ns.Addr().String()
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	s.end = end
	go s.keep(life, every)
	return s, nil
}

// run starts NATS' server.
func run(ctx context.Context, c Config) (*server.Server, error) {
	opts, err := options(c)
	if err != nil {
		return nil, fmt.Errorf("configure bus server: %w", err)
	}
	ns, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("make bus server: %w", err)
	}
	if c.Log != nil {
		ns.SetLoggerV2(logger{c.Log}, false, false, false)
	}
	ns.Start()
	wait := 30 * time.Second // recovering a large store takes a while
	if d, ok := ctx.Deadline(); ok {
		wait = time.Until(d)
	}
	if !ns.ReadyForConnections(wait) {
		shut(ns)
		return nil, fmt.Errorf("start bus server: not ready after %s; is %s in use?", wait.Round(time.Millisecond), c.Listen)
	}
	return ns, nil
}

func shut(ns *server.Server) {
	ns.Shutdown()
	ns.WaitForShutdown()
}

// listenable asks the kernel first: the server itself would only log that it cannot
// listen, and never become ready.
func listenable(addr string) error {
	if addr == "" {
		return nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return l.Close()
}

// writeDeadline is how long a client may take nothing before it is disconnected. Most are in
// this process: they are slow when all of it is, and leaving them makes that worse.
const writeDeadline = 30 * time.Second

// tidyEvery is how often the server looks which files of a stream are half empty, and writes those anew. By itself it does
// so every two minutes. To change or remove a value it has the whole file in memory that holds it: where
// much is replaced, what nobody asked for would be most of its memory.
const tidyEvery = 10 * time.Second

// anyStore is more than any disk has. By itself the server takes three quarters of what is free when it starts, of which
// what it has stored is then taken off: on a disk that fills up it would refuse to store long before it is full.
const anyStore = 1 << 60

func options(c Config) (*server.Options, error) {
	op, err := jwt.DecodeOperatorClaims(c.Identity.OperatorJWT)
	if err != nil {
		return nil, fmt.Errorf("read operator: %w", err)
	}
	resolver := &server.MemAccResolver{}
	for key, token := range c.Identity.Accounts {
		if err := resolver.Store(key, token); err != nil {
			return nil, fmt.Errorf("read account: %w", err)
		}
	}
	o := &server.Options{
		ServerName:        "skerry",
		TrustedOperators:  []*jwt.OperatorClaims{op},
		SystemAccount:     c.Identity.SystemAccount,
		AccountResolver:   resolver,
		JetStream:         true,
		StoreDir:          c.DataDir,
		SyncAlways:        true,
		SyncInterval:      tidyEvery,
		MaxPayload:        MaxPayload,
		MaxPending:        256 << 20,
		WriteDeadline:     writeDeadline,
		JetStreamMaxStore: anyStore,
		JetStreamLimits:   server.JSLimitOpts{MaxBatchSize: bus.MaxBatch},
		NoSigs:            true,
		NoLog:             c.Log == nil,

		DisableJetStreamBanner: true,
	}
	if c.Listen == "" {
		o.DontListen = true
		return o, nil
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: %w", c.Listen, err)
	}
	if o.Port, err = strconv.Atoi(port); err != nil {
		return nil, fmt.Errorf("listen address %q: port: %w", c.Listen, err)
	}
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	o.Host = host
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return nil, errors.New("a TLS certificate and its key go together")
	}
	if c.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("load TLS certificate: %w", err)
		}
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		o.TLSTimeout = 5
	}
	return o, nil
}

// InProcessConn connects within the process.
func (s *Server) InProcessConn() (net.Conn, error) {
	s.mu.Lock()
	ns := s.ns
	s.mu.Unlock()
	if ns == nil {
		return nil, errors.New("the bus server is starting anew")
	}
	return ns.InProcessConn()
}

// URL is what clients on this machine connect to; "" without a listener.
func (s *Server) URL() string { return s.url }

// Stop shuts down and waits.
func (s *Server) Stop() {
	s.end()
	<-s.done
}

// logger hands the server's log on. Notices are its ordinary life: debug for us.
type logger struct{ log *slog.Logger }

func (l logger) Noticef(f string, v ...any) { l.log.Debug(fmt.Sprintf(f, v...)) }
func (l logger) Warnf(f string, v ...any)   { l.log.Warn(fmt.Sprintf(f, v...)) }
func (l logger) Fatalf(f string, v ...any)  { l.log.Error(fmt.Sprintf(f, v...)) }
func (l logger) Errorf(f string, v ...any)  { l.log.Error(fmt.Sprintf(f, v...)) }
func (l logger) Debugf(f string, v ...any)  { l.log.Debug(fmt.Sprintf(f, v...)) }
func (l logger) Tracef(f string, v ...any)  { l.log.Debug(fmt.Sprintf(f, v...)) }
