package forward

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// dialInside connects to a loopback port in the network namespace at path.
func dialInside(ctx context.Context, path, port string) (net.Conn, error) {
	ns, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errOutside, err)
	}
	defer func() { _ = ns.Close() }()
	type answer struct {
		conn net.Conn
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		// Never unlocked: the thread has been in another namespace, and ends with
		// this goroutine. A socket stays in the namespace it was made in.
		runtime.LockOSThread()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- answer{nil, fmt.Errorf("%w: %w", errOutside, err)}
			return
		}
		conn, err := loopback(ctx, port)
		done <- answer{conn, err}
	}()
	a := <-done
	return a.conn, a.err
}
