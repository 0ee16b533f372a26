// Package notice tells a node's agent that an object which its pods refer to has changed.
//
// It reads and writes the subject node.<node>.system:apiserver.changed. What always holds: a
// notice names an object and carries nothing of it, so that the agent still has to be
// allowed to read it; a notice may be lost or come twice, and whoever listens looks for itself.
package notice

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
)

// Verb is the last token of the subject.
const Verb = "changed"

// apiserver is who sends notices.
const apiserver = bus.User("system:apiserver")

// longest is the most bytes of a notice: two names and a resource.
const longest = 2 << 10

// Send tells node's agent that ref was made, changed or removed. It does not wait.
func Send(conn *bus.Conn, node schemas.NodeName, ref schemas.Ref) error {
	data, err := json.Marshal(ref)
	if err != nil {
		return fmt.Errorf("encode notice: %w", err)
	}
	return conn.Publish(bus.NodeSubject(node, conn.User, Verb), data)
}

// Listen calls f, which must be quick, for each notice to node until ctx ends.
func Listen(ctx context.Context, conn *bus.Conn, node schemas.NodeName, f func(schemas.Ref)) error {
	sub, err := conn.NC.Subscribe(bus.NodeSubject(node, apiserver, Verb), func(m *nats.Msg) {
		var ref schemas.Ref
		if len(m.Data) > longest {
			return
		}
		if err := json.Unmarshal(m.Data, &ref); err != nil {
			conn.Log.Warn("notice not understood", "error", err)
			return
		}
		f(ref)
	})
	if err != nil {
		return fmt.Errorf("listen for notices: %w", err)
	}
	<-ctx.Done()
	_ = sub.Unsubscribe() // fails only when the connection is gone, and the subscription with it
	return ctx.Err()
}
