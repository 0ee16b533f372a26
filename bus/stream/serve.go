package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
)

// Handler serves one stream; who and hello are the dialler's user and payload. It
// returns when done: its error is what the other side's Recv gets. An error before
// the first call of accept is a refusal, returned by Dial. ctx ends when the stream
// is over (the other side left) or the service stops. The stream is closed after it.
type Handler func(ctx context.Context, who bus.User, hello []byte, accept func() (*Stream, error)) error

// drainTimeout bounds how long requests that are already here keep a stopping service.
const drainTimeout = 2 * time.Second

// ServeNode serves verb on node.<node>.*.<verb> until ctx ends, then waits for
// running handlers. At most limit streams at once; more are refused.
func ServeNode(ctx context.Context, conn *bus.Conn, node schemas.NodeName, verb string, limit int, h Handler) error {
	return Serve(ctx, conn, bus.NodeSubject(node, "*", verb), "", string(node), limit, h)
}

// Serve serves streams that are dialled on subject, a NodeSubject or APISubject with
// wildcards, until ctx ends, then waits for running handlers; it returns nil then.
// peer is this side's token in the streams' subjects. Services that share a queue
// group share the streams; queue "" is none. At most limit streams at once.
func Serve(ctx context.Context, conn *bus.Conn, subject, queue, peer string, limit int, h Handler) error {
	a := NewAcceptor(conn, peer, limit)
	a.hails = true
	defer a.Wait()
	return serve(ctx, conn, subject, queue, a, h)
}

func serve(ctx context.Context, conn *bus.Conn, subject, queue string, a *Acceptor, h Handler) error {
	// A queue group without a name is a plain subscription.
	sub, err := conn.NC.QueueSubscribe(subject, queue, func(m *nats.Msg) { a.Accept(ctx, m, h) })
	if err != nil {
		return fmt.Errorf("serve %s: %w", subject, err)
	}
	<-ctx.Done()
	// Requests that are already here are refused, rather than left to time out.
	drained := make(chan struct{})
	sub.SetClosedHandler(func(string) { close(drained) })
	if err := sub.Drain(); err != nil {
		_ = sub.Unsubscribe()
		return nil // the connection is closed or away: nobody waits
	}
	t := time.NewTimer(drainTimeout)
	defer t.Stop()
	select {
	case <-drained:
	case <-t.C:
	}
	return nil
}
