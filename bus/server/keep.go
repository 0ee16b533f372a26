package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/skerry/skerry/bus/pause"
)

const (
	// healthEvery is how often the server is looked at, and, once it stores nothing any more, the disk.
	healthEvery = 5 * time.Second
	// room is how much must fit on the disk before the server starts anew: less would be full again at once.
	room = 8 << 20
)

// keep looks after the server until ctx ends, and then ends it. NATS' server stores nothing more in a stream whose disk
// refused one write, however much room there is later, and answers no write: it has to start anew.
func (s *Server) keep(ctx context.Context, every time.Duration) {
	defer close(s.done)
	ns, told := s.ns, false
	for pause.For(ctx, every) == nil {
		if ns != nil {
			why := broken(ns)
			if why == nil {
				told = false
				continue
			}
			if !told && s.config.Log != nil {
				s.config.Log.Error("the bus stores nothing any more; it starts anew once its disk takes what is written", "dir", s.config.DataDir, "error", why)
			}
			told = true
			if writable(s.config.DataDir) != nil {
				continue
			}
			s.swap(nil)
			shut(ns)
		}
		var err error
		if ns, err = run(ctx, s.config); err != nil {
			ns = nil
			if s.config.Log != nil {
				s.config.Log.Error("start the bus anew", "error", err)
			}
			continue
		}
		s.swap(ns)
	}
	if ns != nil {
		shut(ns)
	}
}

func (s *Server) swap(ns *server.Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ns = ns
}

// broken is why nothing is stored, nil if all is well.
func broken(ns *server.Server) error {
	if !ns.JetStreamEnabled() {
		return errors.New("storing was switched off")
	}
	for _, e := range ns.Healthz(&server.HealthzOptions{Details: true}).Errors {
		if e.Type == server.HealthzErrorStream && strings.Contains(e.Error, "write error") {
			return errors.New(e.Error)
		}
	}
	return nil
}

// writable tries whether dir's disk has room.
func writable(dir string) (err error) {
	f, err := os.OpenFile(filepath.Join(dir, ".room"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) // one, should it be left
	if err != nil {
		return fmt.Errorf("look for room: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, 1<<20)
	for range room / len(block) {
		if _, err := f.Write(block); err != nil {
			return fmt.Errorf("look for room: %w", err)
		}
	}
	return f.Sync()
}
