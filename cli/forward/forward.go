// Package forward is `skerry port-forward`: local ports that lead into a pod.
//
// It listens on addresses of this machine and carries each connection over a stream
// to the pod's agent. What always holds: it ends when the pod does, and every connection
// ends with it.
package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Command is `skerry port-forward`.
type Command struct {
	Pod     string   `arg:"" help:"The pod, or a workload or service (deployment/web, service/web) of which one pod is chosen; of a service, the ports are its own."`
	Ports   []string `arg:"" help:"Ports, as [LOCAL:]REMOTE; with :REMOTE any free local port." name:"[local:]remote"`
	Address []string `help:"Addresses to listen on." default:"localhost" placeholder:"ADDRESS"`
}

// maxConnections bounds how many connections are carried at once.
const maxConnections = 100

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	of, pods, err := target.Behind(ctx, client, s.Table, s.Namespace(), c.Pod)
	if err != nil {
		return err
	}
	pod := pods[0]
	svc, _ := of.(*corev1.Service) // nil if it is no service
	ports, err := parsePorts(pod, svc, c.Ports)
	if err != nil {
		return err
	}
	if pod.Status.Phase != corev1.PodRunning {
		return fmt.Errorf("unable to forward port because pod is not running. Current status=%s", pod.Status.Phase)
	}
	conn, err := s.Conn(ctx)
	if err != nil {
		return err
	}
	// It lasts as long as the pod.
	life, err := remote.Dial(ctx, conn, schemas.NodeName(pod.Spec.NodeName), remote.Forward{Pod: remote.PodOf(pod)})
	if err != nil {
		return err
	}
	defer func() { _ = life.Close() }()
	f := &forwarder{s: s, bus: conn, pod: pod, free: make(chan struct{}, maxConnections)}
	defer f.stop()
	if err := f.listen(ports, c.Address); err != nil {
		return err
	}
	for _, l := range f.listeners {
		f.running.Go(func() { f.accept(ctx, l) })
	}
	_, err = life.Recv(ctx)
	switch {
	case ctx.Err() != nil:
		return nil // the user has seen enough
	case apierrors.IsNotFound(err):
		return errors.New("lost connection to pod")
	}
	return fmt.Errorf("lost connection to pod: %w", err)
}

// forwarder is the listeners and their connections.
type forwarder struct {
	s         *session.Session
	bus       *bus.Conn
	pod       *corev1.Pod
	free      chan struct{}
	listeners []listener
	running   sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
}

type listener struct {
	net.Listener
	port
}

// stop closes everything and waits for it.
func (f *forwarder) stop() {
	for _, l := range f.listeners {
		_ = l.Close()
	}
	f.mu.Lock()
	f.closed = true
	for c := range f.conns {
		_ = c.Close()
	}
	f.mu.Unlock()
	f.running.Wait()
}

// track keeps conn to be closed at the end; false if that has come.
func (f *forwarder) track(conn net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conns == nil {
		f.conns = map[net.Conn]bool{}
	}
	if !f.closed {
		f.conns[conn] = true
	}
	return !f.closed
}

func (f *forwarder) forget(conn net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, conn)
	_ = conn.Close()
}

// listen opens every port on every address. A port that can be had on none of
// them is an error; one that can be had on some is said.
func (f *forwarder) listen(ports []port, addresses []string) error {
	for _, p := range ports {
		var errs []error
		before := len(f.listeners)
		for _, a := range resolve(addresses) {
			if p.local == 0 && len(f.listeners) > before { // the same port on every address
				p.local = uint16(f.listeners[before].Addr().(*net.TCPAddr).Port)
			}
			l, err := net.Listen(a.network, net.JoinHostPort(a.ip, strconv.Itoa(int(p.local))))
			if err != nil {
				if !a.spare {
					errs = append(errs, fmt.Errorf("unable to create listener: Error %w", err))
				}
				continue
			}
			f.listeners = append(f.listeners, listener{l, p})
			fmt.Fprintf(f.s.Stdout, "Forwarding from %s -> %d\n", l.Addr(), p.remote)
		}
		if len(f.listeners) == before {
			return fmt.Errorf("unable to listen on port %d: %w", p.local, errors.Join(errs...))
		}
		for _, err := range errs {
			fmt.Fprintf(f.s.Stderr, "Unable to listen on port %d: %v\n", p.local, err)
		}
	}
	return nil
}

func (f *forwarder) accept(ctx context.Context, l listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // closed
		}
		select {
		case f.free <- struct{}{}:
		default:
			fmt.Fprintf(f.s.Stderr, "Refused a connection for %d: %d are open\n", l.remote, maxConnections)
			_ = conn.Close()
			continue
		}
		fmt.Fprintf(f.s.Stdout, "Handling connection for %d\n", l.Addr().(*net.TCPAddr).Port)
		f.running.Go(func() {
			defer func() { <-f.free }()
			defer f.forget(conn)
			if !f.track(conn) {
				return
			}
			if err := f.carry(ctx, conn, l.remote); err != nil && ctx.Err() == nil {
				fmt.Fprintf(f.s.Stderr, "error: %v\n", err)
			}
		})
	}
}

// carry carries one connection. That one breaks off is usual: only a failure to
// reach the port is said.
func (f *forwarder) carry(ctx context.Context, conn net.Conn, to uint16) error {
	st, err := remote.Dial(ctx, f.bus, schemas.NodeName(f.pod.Spec.NodeName), remote.Forward{Pod: remote.PodOf(f.pod), Port: to})
	if err != nil {
		return fmt.Errorf("an error occurred forwarding to port %d: %w", to, err)
	}
	defer func() { _ = st.Close() }()
	_ = remote.Join(ctx, st, conn)
	return nil
}
