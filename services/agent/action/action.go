// Package action does what a probe or a hook asks for: a command in the container, an
// HTTP request, a TCP connection, a gRPC health check.
//
// It reads from and writes to the pod's address and the container, and keeps nothing. What
// always holds: an action ends with its context; what it reads is bounded; no connection
// outlives it; certificates are not verified, as the kubelet does not.
package action

import (
	"context"
	"fmt"
	"net"
	"strconv"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// maxOutput bounds what is read of an answer or of a command's output.
const maxOutput = 10 << 10

// Outcome is how an action ended.
type Outcome string

const (
	Success Outcome = "success"
	Warning Outcome = "warning" // a success that deserves a word
	Failure Outcome = "failure"
	Unknown Outcome = "unknown" // it could not be tried
)

// Executor runs commands in containers. It returns at most limit bytes of output, and
// kills the command when ctx ends.
type Executor interface {
	Run(ctx context.Context, id string, command []string, limit int) (code int, output []byte, err error)
}

// Target is what an action is done to.
type Target struct {
	ID        string // of the container
	IP        string // of its pod
	Container *v1.Container
}

// Handler is what to do: exactly one of its fields is set.
type Handler struct {
	Exec *v1.ExecAction
	HTTP *v1.HTTPGetAction
	TCP  *v1.TCPSocketAction
	GRPC *v1.GRPCAction
}

// Doer does actions. Safe for concurrent use.
type Doer struct {
	exec  Executor
	http1 roundTripper
	http2 roundTripper
}

// New returns a Doer that runs commands with e.
func New(e Executor) *Doer { return &Doer{exec: e, http1: transport(false), http2: transport(true)} }

// Do does h to t. The text says more about the outcome.
func (d *Doer) Do(ctx context.Context, t Target, h Handler) (Outcome, string) {
	switch {
	case h.Exec != nil:
		return d.command(ctx, t, h.Exec)
	case h.HTTP != nil:
		return d.get(ctx, t, h.HTTP)
	case h.TCP != nil:
		return dial(ctx, t, h.TCP)
	case h.GRPC != nil:
		return d.health(ctx, t, h.GRPC)
	}
	return Unknown, "missing probe handler"
}

func (d *Doer) command(ctx context.Context, t Target, a *v1.ExecAction) (Outcome, string) {
	code, output, err := d.exec.Run(ctx, t.ID, a.Command, maxOutput)
	switch {
	case ctx.Err() != nil:
		return Failure, fmt.Sprintf("command timed out: %q", a.Command)
	case err != nil:
		return Unknown, err.Error()
	case code != 0:
		return Failure, string(output)
	}
	return Success, string(output)
}

// dial succeeds if a connection can be made.
func dial(ctx context.Context, t Target, a *v1.TCPSocketAction) (Outcome, string) {
	address, err := t.address(a.Host, a.Port)
	if err != nil {
		return Unknown, err.Error()
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return Failure, err.Error()
	}
	if err := c.Close(); err != nil {
		return Success, err.Error()
	}
	return Success, ""
}

// address is where to connect: host, by default the pod, and a port by number or by
// its name among the container's.
func (t Target) address(host string, port intstr.IntOrString) (string, error) {
	if host == "" {
		host = t.IP
	}
	n := port.IntValue()
	if port.Type == intstr.String {
		n = 0
		for _, p := range t.Container.Ports {
			if p.Name == port.StrVal {
				n = int(p.ContainerPort)
			}
		}
		if n == 0 {
			n, _ = strconv.Atoi(port.StrVal)
		}
	}
	if n <= 0 || n > 65535 {
		return "", fmt.Errorf("invalid port %q", port.String())
	}
	return net.JoinHostPort(host, strconv.Itoa(n)), nil
}
