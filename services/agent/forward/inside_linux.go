package forward

import (
	"context"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/skerry/skerry/services/agent/thread"
)

// dialInside connects to a loopback port in the network namespace at path. A socket stays in
// the namespace it was made in; the thread does not.
func dialInside(ctx context.Context, path, port string) (conn net.Conn, err error) {
	ns, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errOutside, err)
	}
	defer func() { _ = ns.Close() }()
	err = thread.Apart(func() error {
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("%w: %w", errOutside, err)
		}
		conn, err = loopback(ctx, port)
		return err
	}, thread.Network)
	if err != nil && conn != nil {
		_ = conn.Close() // the thread did not come back, and nobody gets to know the connection
		conn = nil
	}
	return conn, err
}
