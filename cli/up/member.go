//go:build linux

package up

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
)

// service is one part of a cluster and who it is on the bus.
type service struct {
	name string
	role identity.Role
	user bus.User
	run  func(ctx context.Context, conn *bus.Conn) error
}

// member is a running service.
type member struct {
	name string
	stop context.CancelFunc
	done chan struct{}
	err  error // valid once done is closed
}

// start runs svc on a connection of its own. When it ends before it was told to,
// failed is called with the reason.
func start(ctx context.Context, svc service, connect func(context.Context, service) (*bus.Conn, error), log *slog.Logger, failed func(error)) (*member, error) {
	conn, err := connect(ctx, svc)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", svc.name, err)
	}
	// Not ended by ctx, which bounds the start: services stop one after the other.
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m := &member{name: svc.name, stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(m.done)
		defer conn.Close()
		err := svc.run(own, conn)
		if own.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("ended by itself")
		}
		m.err = fmt.Errorf("%s: %w", svc.name, err)
		log.Error("service ended", "service", svc.name, "error", err)
		failed(m.err)
	}()
	return m, nil
}

// crew is the services of a process, in the order of their start.
type crew struct {
	mu      sync.Mutex
	members []*member
}

func (c *crew) add(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = append(c.members, m)
}

// stop stops the last started first: the agent can still report to the apiserver, and
// the apiserver to the bus.
func (c *crew) stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for i := len(c.members) - 1; i >= 0; i-- {
		m := c.members[i]
		m.stop()
		<-m.done
		errs = append(errs, m.err)
	}
	c.members = nil
	return errors.Join(errs...)
}
