package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
)

// Exchange sends m and waits for its reply. If the connection breaks meanwhile, the
// reply may have been lost with it: once the connection is back it waits for at most
// grace more, then fails with nats.ErrDisconnected. For bus's own subpackages.
func (c *Conn) Exchange(ctx context.Context, m *nats.Msg, grace time.Duration) (*nats.Msg, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	off := c.OnReconnect(func() {
		time.AfterFunc(grace, func() { cancel(nats.ErrDisconnected) })
	})
	defer off()
	reply, err := c.NC.RequestMsgWithContext(ctx, m)
	if err != nil && errors.Is(context.Cause(ctx), nats.ErrDisconnected) {
		return nil, nats.ErrDisconnected
	}
	return reply, err
}
