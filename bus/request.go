package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Request sends data to whoever serves subject and returns the answer. Without a
// responder it fails at once with ErrUnreachable; ctx bounds the wait.
func (c *Conn) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
	}
	m, err := c.NC.RequestWithContext(ctx, subject, data)
	if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, nats.ErrConnectionClosed) {
		return nil, fmt.Errorf("request %s: %w: %w", subject, ErrUnreachable, err)
	}
	if err != nil {
		return nil, fmt.Errorf("request %s: %w", subject, err)
	}
	return m.Data, nil
}

// Publish sends data on subject without waiting for anybody.
func (c *Conn) Publish(subject string, data []byte) error {
	if err := c.NC.Publish(subject, data); err != nil {
		return fmt.Errorf("publish %s: %w", subject, err)
	}
	return nil
}

// Respond answers requests on subject until ctx ends, and then waits for those that
// run. The replicas of a service share the work through queue. At most limit
// requests run at once; what waits is bounded by NATS' own pending limits.
func (c *Conn) Respond(ctx context.Context, subject, queue string, limit int, f func(ctx context.Context, subject string, data []byte) []byte) error {
	slots := make(chan struct{}, limit)
	var running sync.WaitGroup
	sub, err := c.NC.QueueSubscribe(subject, queue, func(m *nats.Msg) {
		slots <- struct{}{}
		running.Add(1)
		go func() {
			defer running.Done()
			defer func() { <-slots }()
			if err := m.Respond(f(ctx, m.Subject, m.Data)); err != nil {
				c.Log.Warn("answer not sent", "subject", m.Subject, "error", err)
			}
		}()
	})
	if err != nil {
		return fmt.Errorf("subscribe %s: %w", subject, err)
	}
	drained := make(chan struct{})
	sub.SetClosedHandler(func(string) { close(drained) })
	<-ctx.Done()
	if err := sub.Drain(); err == nil {
		select {
		case <-drained:
		case <-time.After(5 * time.Second):
		}
	}
	running.Wait()
	return ctx.Err()
}
