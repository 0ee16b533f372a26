package api

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/skerry/skerry/bus"
)

const (
	// maxWatches is how many watches one server serves at once, and maxWatchesOf how many
	// of one user. One that rests takes some 6 KB here, and 14 KB in a gateway.
	maxWatches   = 160_000
	maxWatchesOf = 120_000
	// maxUploads is how many bodies beyond one message come in at once.
	maxUploads = 16
	// maxOffers is how many replies beyond one message wait for their clients, and maxOffersOf how many
	// of what one user reads.
	maxOffers   = 16
	maxOffersOf = 12
	// drainTimeout bounds how long requests that are already here keep a stopping
	// server from refusing more, and graceTimeout how long running ones may go on.
	drainTimeout = 2 * time.Second
	graceTimeout = 5 * time.Second
)

// Serve registers the endpoints and answers until ctx ends, then drains and returns
// nil. At most concurrency requests run at once; more wait, and beyond that are
// refused with TooManyRequests, which clients take as "try again".
func Serve(ctx context.Context, conn *bus.Conn, name, version string, concurrency int, s Server) error {
	srv := newServer(conn, concurrency, s)
	svc, err := micro.AddService(conn.NC, micro.Config{
		Name:         name,
		Version:      semver(version),
		Description:  "Kubernetes API over NATS",
		Metadata:     map[string]string{"version": version},
		StatsHandler: func(e *micro.Endpoint) any { return srv.stats(Verb(e.Name)) },
		ErrorHandler: func(_ micro.Service, e *micro.NATSError) {
			conn.Log.Error("apiserver endpoint failed", "subject", e.Subject, "error", e.Description)
		},
	})
	if err != nil {
		return fmt.Errorf("serve %s: %w", name, err)
	}
	// Requests outlive ctx for a moment: a write that began should be answered.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	for _, v := range Verbs() {
		h := func(r micro.Request) { srv.request(work, message(r)) }
		if v == VerbWatch {
			h = func(r micro.Request) { srv.watch(ctx, message(r)) }
		}
		if err := svc.AddEndpoint(string(v), micro.HandlerFunc(h), micro.WithEndpointSubject(bus.APIEndpoint(string(v)))); err != nil {
			_ = svc.Stop()
			return fmt.Errorf("serve %s: %w", v, err)
		}
	}
	<-ctx.Done()
	srv.drain(conn, svc)
	t := time.AfterFunc(graceTimeout, cancel)
	defer t.Stop()
	srv.wait()
	return nil
}

// drain leaves the queue groups and lets what is already here in.
func (s *server) drain(conn *bus.Conn, svc micro.Service) {
	if err := svc.Stop(); err != nil {
		conn.Log.Warn("stop the service", "error", err)
	}
	if conn.NC.FlushTimeout(drainTimeout) != nil {
		return // the connection is away: nothing more comes in
	}
	passed := make(chan struct{})
	if conn.NC.Barrier(func() { close(passed) }) != nil {
		return
	}
	t := time.NewTimer(drainTimeout)
	defer t.Stop()
	select {
	case <-passed:
	case <-t.C:
	}
}

// message is the request as NATS delivered it. Replies do not go through r: they
// come from other goroutines than the one that r belongs to.
func message(r micro.Request) *nats.Msg {
	return &nats.Msg{Subject: r.Subject(), Reply: r.Reply(), Header: nats.Header(r.Headers()), Data: r.Data()}
}

var semverPattern = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

// semver is version in the form that the service framework insists on.
func semver(version string) string {
	if v := strings.TrimPrefix(version, "v"); semverPattern.MatchString(v) {
		return v
	}
	return "0.0.0"
}

// verbStats is what `nats micro stats` shows beside the framework's own numbers,
// whose times are those of taking a request in.
type verbStats struct {
	Requests      uint64  `json:"requests"`
	Errors        uint64  `json:"errors"`
	Refused       uint64  `json:"refused"`
	AverageMillis float64 `json:"averageMillis"`
	InFlight      int     `json:"inFlight"` // of all verbs
}

func (s *server) stats(v Verb) verbStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts[v]
	if c == nil {
		return verbStats{InFlight: s.inFlight}
	}
	st := verbStats{Requests: c.requests, Errors: c.errors, Refused: c.refused, InFlight: s.inFlight}
	if c.requests > 0 {
		st.AverageMillis = float64(c.spent.Microseconds()) / float64(c.requests) / 1000
	}
	return st
}
