// Package forward carries TCP connections to ports inside pods over streams of the bus.
//
// It reads and writes the stream and the connection. What always holds: the connection
// is made within the pod's network namespace, where a server on the loopback address is reached
// too; each direction ends by itself; and what one side does not take stops the other.
package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/services/agent/lookup"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Runtime knows pods' networks.
type Runtime interface {
	// NetworkOf is the path of a running sandbox's network namespace.
	NetworkOf(ctx context.Context, p sandbox.Pod) (path string, err error)
}

// Handler serves forwarded ports.
type Handler struct {
	Find    lookup.Finder
	Runtime Runtime
}

const (
	// dialTimeout bounds a connection attempt inside a pod.
	dialTimeout = 10 * time.Second
	// watchEvery is how often a pod that is held on to is looked at.
	watchEvery = 2 * time.Second
)

// Serve implements stream.Handler. Port 0 asks for no connection: that stream lasts as
// long as the pod does.
func (h *Handler) Serve(ctx context.Context, _ bus.User, hello []byte, accept func() (*stream.Stream, error)) error {
	ask, err := remote.Parse[remote.Forward](hello)
	if err != nil {
		return err
	}
	p, err := h.Find.Order(ask.Pod)
	if err != nil {
		return err
	}
	seen, err := h.sandbox(ctx, p)
	if err != nil {
		return err
	}
	if ask.Port == 0 {
		return h.watch(ctx, ask.Pod, accept)
	}
	conn, err := h.dial(ctx, seen, ask.Port)
	if err != nil {
		return apierrors.NewInternalError(fmt.Errorf("error forwarding port %d to pod %s, uid %s: %w", ask.Port, p.Name, p.UID, err))
	}
	defer func() { _ = conn.Close() }()
	s, err := accept()
	if err != nil {
		return err
	}
	return remote.Join(ctx, s, conn)
}

// sandbox is the pod's, which must run.
func (h *Handler) sandbox(ctx context.Context, p *v1.Pod) (*sandbox.Pod, error) {
	seen, err := h.Find.Sandbox(ctx, p)
	if err != nil {
		return nil, err
	}
	if seen == nil || seen.Infra.State != sandbox.Running {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("pod %s is not running", p.Name))
	}
	return seen, nil
}

// watch returns when the pod has ended.
func (h *Handler) watch(ctx context.Context, ask remote.Pod, accept func() (*stream.Stream, error)) error {
	if _, err := accept(); err != nil {
		return err
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		p, err := h.Find.Order(ask)
		if err == nil {
			_, err = h.sandbox(ctx, p)
		}
		if apierrors.IsNotFound(err) || apierrors.IsBadRequest(err) {
			return apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, string(ask.Name))
		}
	}
}

// dial connects to the port on the pod's loopback address, in its network namespace. An
// agent that may not enter it connects to the pod's address.
func (h *Handler) dial(ctx context.Context, seen *sandbox.Pod, port uint16) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	path, err := h.Runtime.NetworkOf(ctx, *seen)
	if err != nil {
		return nil, err
	}
	at := strconv.Itoa(int(port))
	conn, err := dialInside(ctx, path, at)
	if err == nil || !errors.Is(err, errOutside) {
		return conn, err
	}
	host := seen.IP
	if seen.HostNetwork || host == "" {
		host = "127.0.0.1"
	}
	return new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(host, at))
}

// errOutside: the namespace cannot be entered.
var errOutside = errors.New("enter network namespace")

// loopback connects to port on either loopback address.
func loopback(ctx context.Context, port string) (net.Conn, error) {
	var d net.Dialer
	conn, err4 := d.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", port))
	if err4 == nil {
		return conn, nil
	}
	conn, err6 := d.DialContext(ctx, "tcp6", net.JoinHostPort("::1", port))
	if err6 == nil {
		return conn, nil
	}
	return nil, fmt.Errorf("failed to connect to localhost:%s inside the pod's network namespace, IPv4: %w IPv6: %w", port, err4, err6)
}
