//go:build linux

package up

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/identity"
	"github.com/skerry/skerry/bus/server"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
)

// cluster is everything that one `skerry up` runs.
type cluster struct {
	s    *session.Session
	dir  dataDir
	log  *slog.Logger
	node schemas.NodeName
	up   *Up

	authority *identity.Authority
	server    *server.Server // nil with an external bus
	url       string
	podman    *runtime
	crew      crew
	apiNote   string // where the HTTP API is, or why it is not
	// failed gets the first error of a service that ended by itself.
	failed chan error
}

// start starts the bus, then the services, and waits until the node is ready.
func (c *cluster) start(ctx context.Context) error {
	var err error
	if c.authority, err = identity.Load(c.dir.authority()); err != nil {
		return err
	}
	if err := c.startBus(ctx); err != nil {
		return err
	}
	if err := c.startControlPlane(ctx); err != nil {
		return err
	}
	if !c.up.NoAgent {
		if err := c.startAgent(ctx); err != nil {
			return err
		}
	}
	if c.up.NoAgent {
		return nil
	}
	return c.await(ctx, func(ctx context.Context, conn *bus.Conn) error { return awaitNode(ctx, conn, c.node) })
}

func (c *cluster) startBus(ctx context.Context) error {
	if c.up.Nats != "" {
		c.url = c.up.Nats
		return nil
	}
	var err error
	c.server, err = server.Start(ctx, server.Config{
		DataDir: c.dir.bus(), Listen: c.up.Listen, Identity: c.authority.ServerConfig(),
		TLSCert: c.up.TLSCert, TLSKey: c.up.TLSKey, Log: c.log.With("service", "bus"),
	})
	if err != nil {
		return err
	}
	c.url = c.server.URL()
	return nil
}

// startControlPlane starts the apiserver, which makes the streams, before those that
// read them.
func (c *cluster) startControlPlane(ctx context.Context) error {
	signer, err := c.authority.NodeSigner()
	if err != nil {
		return err
	}
	sh := &shared{}
	if err := c.startService(ctx, apiserverService(signer, c.up.Services, apiEndpoint(c.up.API, c.up.Address), sh, c.log)); err != nil {
		return err
	}
	if err := c.await(ctx, awaitAPI); err != nil {
		return err
	}
	ca, err := c.rootCA()
	if err != nil {
		return err
	}
	for _, svc := range []service{controllerService(c.up.ClusterCIDR, ca, sh, c.log), schedulerService("", c.up.Placing, sh, c.log)} {
		if err := c.startService(ctx, svc); err != nil {
			return err
		}
	}
	return c.startGateway(ctx)
}

func (c *cluster) startAgent(ctx context.Context) error {
	var err error
	if c.podman, err = findPodman(ctx, c.s, c.up.PodmanSocket, c.dir); err != nil {
		return err
	}
	return c.startService(ctx, c.up.agentService(c.node, c.podman.socket, c.s.Version, c.dir, c.log))
}

func (c *cluster) startService(ctx context.Context, svc service) error {
	m, err := start(ctx, svc, c.connect, c.log, func(err error) {
		select {
		case c.failed <- err:
		default: // the first one counts
		}
	})
	if err != nil {
		return err
	}
	c.crew.add(m)
	return nil
}

// connect connects a service as itself: through memory to a server of this process.
func (c *cluster) connect(ctx context.Context, svc service) (*bus.Conn, error) {
	creds, err := c.credentials(svc)
	if err != nil {
		return nil, err
	}
	o := bus.Options{URL: c.url, User: svc.user, Creds: creds, Name: svc.name, Log: c.log.With("service", svc.name)}
	if c.server != nil {
		o.InProcess = c.server
	}
	return bus.Connect(ctx, o)
}

func (c *cluster) credentials(svc service) ([]byte, error) {
	creds, err := c.authority.Credentials(svc.role, svc.user)
	if err != nil {
		return nil, fmt.Errorf("make credentials of %s: %w", svc.name, err)
	}
	return creds, nil
}

// await calls f as the admin and returns what it returns, or why a service ended meanwhile.
func (c *cluster) await(ctx context.Context, f func(context.Context, *bus.Conn) error) error {
	conn, err := c.connect(ctx, adminService)
	if err != nil {
		return err
	}
	defer conn.Close()
	ready := make(chan error, 1)
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { ready <- f(inner, conn) }()
	select {
	case err := <-ready:
		return err
	case err := <-c.failed:
		cancel()
		_ = <-ready
		return err
	}
}

// stop ends the services, the Podman service of our own, and the bus, in that order.
func (c *cluster) stop() error {
	err := c.crew.stop()
	if c.podman != nil {
		c.podman.stop()
	}
	if c.server != nil {
		c.server.Stop()
	}
	if err != nil && strings.Contains(err.Error(), context.Canceled.Error()) {
		return nil
	}
	return err
}
