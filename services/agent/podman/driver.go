// Package podman drives a Podman host through its REST API: sandboxes, containers,
// images, networks, events, logs and exec. It is the only importer of Podman's bindings.
//
// What always holds: every call ends with its context or its own time limit,
// whichever is first, so that a hung Podman hangs nobody; and calls that make
// something with a deterministic name answer sandbox.ErrExists the second time.
package podman

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/containers/podman/v4/pkg/bindings"
	"github.com/containers/podman/v4/pkg/bindings/system"
	"github.com/containers/podman/v4/pkg/errorhandling"

	"github.com/skerry/skerry/services/agent/cgroup"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/space"
)

// Time limits of calls. Stopping takes its grace on top.
const (
	quick  = 15 * time.Second
	slow   = 2 * time.Minute
	pulled = 30 * time.Minute
)

// Driver talks to one Podman. Safe for concurrent use.
type Driver struct {
	// LogDir is the directory of containers' logs; "" leaves them to Podman.
	LogDir string
	// Spaces keep the namespaces of sandboxes without an infra container; nil: every one has one.
	Spaces *space.Store

	socket string
	log    *slog.Logger

	mu   sync.Mutex
	conn context.Context // carries the bindings' connection; nil before the first use

	ips     ipCache
	exits   exits
	cgroups *cgroup.Tracker
	early   early
	bridges bridges
	ends    ends

	ground   ground
	facts    *facts // nil until asked
	accounts accountCache
	workdirs workdirs
}

// New returns a driver for the API at the unix socket. It does no I/O.
func New(socket string, log *slog.Logger) *Driver {
	d := &Driver{socket: socket, log: log, ips: ipCache{known: map[string]string{}}, cgroups: cgroup.NewTracker(cgroup.KernelLog)}
	d.exits.onEnd = func(id string) { d.cgroups.Ended(id) }
	return d
}

// Cgroups are the cgroups of the containers that run.
func (d *Driver) Cgroups() *cgroup.Tracker { return d.cgroups }

// Info is what a node tells about its runtime.
type Info struct {
	Version   string
	GraphRoot string // where images and containers are kept
	CgroupV2  bool
}

// Ping answers whether Podman answers.
func (d *Driver) Ping(ctx context.Context) error {
	ctx, cancel, err := d.call(ctx, 5*time.Second)
	if err != nil {
		return err
	}
	defer cancel()
	c, err := bindings.GetClient(ctx)
	if err != nil {
		return err
	}
	resp, err := c.DoRequest(ctx, nil, http.MethodGet, "/_ping", nil, nil)
	if err != nil {
		return d.fail("ping podman", err)
	}
	return resp.Body.Close()
}

// Info asks Podman about itself.
func (d *Driver) Info(ctx context.Context) (Info, error) {
	ctx, cancel, err := d.call(ctx, quick)
	if err != nil {
		return Info{}, err
	}
	defer cancel()
	i, err := system.Info(ctx, nil)
	if err != nil {
		return Info{}, d.fail("ask podman for its info", err)
	}
	out := Info{Version: i.Version.Version}
	if i.Store != nil {
		out.GraphRoot = i.Store.GraphRoot
	}
	if i.Host != nil {
		out.CgroupV2 = i.Host.CgroupsVersion == "v2"
	}
	return out, nil
}

// bound is a caller's context with the bindings' connection in it: they expect
// the connection among the values of the context of each call.
type bound struct {
	context.Context
	conn context.Context
}

func (b bound) Value(key any) any {
	if v := b.Context.Value(key); v != nil {
		return v
	}
	return b.conn.Value(key)
}

// call prepares ctx for a call that may take as long as limit.
func (d *Driver) call(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc, error) {
	conn, err := d.connection(ctx)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	return bound{ctx, conn}, cancel, nil
}

// connection makes the bindings' connection on first use: making one pings, so
// it cannot be had while Podman is away.
func (d *Driver) connection(ctx context.Context) (context.Context, error) {
	d.mu.Lock()
	conn := d.conn
	d.mu.Unlock()
	if conn != nil {
		return conn, nil
	}
	conn, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conn = conn
	return conn, nil
}

func (d *Driver) dial(ctx context.Context) (context.Context, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	withConn, err := bindings.NewConnection(ctx, "unix://"+d.socket)
	if err != nil {
		return nil, fmt.Errorf("connect to podman at %s: %w: %w", d.socket, sandbox.ErrUnreachable, err)
	}
	c, err := bindings.GetClient(withConn)
	if err != nil {
		return nil, err
	}
	if t, ok := c.Client.Transport.(*http.Transport); ok {
		t.MaxIdleConnsPerHost = 8
		t.IdleConnTimeout = time.Minute
	}
	// The connection outlives the call that made it; its values do not end.
	return context.WithoutCancel(withConn), nil
}

// fail classifies what went wrong in doing what.
func (d *Driver) fail(what string, err error) error {
	kind := classify(err)
	if kind == nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w: %w", what, kind, err)
}

// errState: the container is not in a state for that, such as killing a dead one.
var errState = errors.New("wrong state")

func classify(err error) error {
	var m *errorhandling.ErrorModel
	if !errors.As(err, &m) {
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return sandbox.ErrUnreachable
	}
	switch {
	case strings.Contains(m.Because, "image not known"):
		return sandbox.ErrImageUnknown
	case m.ResponseCode == http.StatusNotFound:
		return sandbox.ErrNotFound
	case strings.Contains(m.Because, "already in use"), strings.Contains(m.Because, "already exists"):
		return sandbox.ErrExists
	case strings.Contains(m.Because, "container state improper"):
		return errState
	}
	return nil
}

// Describe is Info as a node needs it.
func (d *Driver) Describe(ctx context.Context) (version, graphRoot string, err error) {
	i, err := d.Info(ctx)
	return i.Version, i.GraphRoot, err
}
