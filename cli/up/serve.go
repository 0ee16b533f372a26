//go:build linux

package up

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/skerry/skerry/bus/identity"
	"github.com/skerry/skerry/bus/server"
	"github.com/skerry/skerry/cli/session"
)

// Serve is `skerry serve`: one service in this process.
type Serve struct {
	Apiserver  ServeAPIServer  `cmd:"" help:"Run an apiserver."`
	Controller ServeController `cmd:"" help:"Run a controller."`
	Scheduler  ServeScheduler  `cmd:"" help:"Run a scheduler."`
	Agent      ServeAgent      `cmd:"" help:"Run the agent of this machine."`
	Gateway    ServeGateway    `cmd:"" help:"Run a gateway: the Kubernetes HTTP API."`
	Bus        ServeBus        `cmd:"" help:"Run the bus alone: the embedded NATS server."`
}

// Remote says how a service reaches the bus. The credentials and the authorities to
// trust come from --creds and --tls-ca, which every command has.
type Remote struct {
	Nats     string `help:"URL of the bus." default:"nats://127.0.0.1:4222" placeholder:"URL"`
	LogLevel string `help:"debug, info, warn or error." enum:"debug,info,warn,error" default:"info" placeholder:"LEVEL"`
}

func (r *Remote) log(s *session.Session) *slog.Logger { return logger(s.Stderr, r.LogLevel) }

// run runs svc until ctx ends or it fails.
func (r *Remote) run(ctx context.Context, s *session.Session, svc service, log *slog.Logger) error {
	useRoom(s.Getenv)
	c := &remote{url: r.Nats, log: log}
	var err error
	if c.ca, err = readOptional(s.Globals.TLSCA); err != nil {
		return err
	}
	if s.Globals.Creds != "" {
		if c.creds, err = os.ReadFile(s.Path(s.Globals.Creds)); err != nil {
			return fmt.Errorf("read credentials: %w", err)
		}
	}
	conn, err := c.connect(ctx, svc)
	if err != nil {
		return err
	}
	defer conn.Close()
	log.Info("service starts", "service", svc.name, "bus", r.Nats)
	if err := svc.run(ctx, conn); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: %w", svc.name, err)
	}
	log.Info("service stopped", "service", svc.name)
	return nil
}

// ServeAPIServer is `skerry serve apiserver`.
type ServeAPIServer struct {
	Remote
	Services
	DataDir string         `help:"Folder with the cluster's keys (authority/), from which nodes that join get credentials." placeholder:"DIR"`
	Gateway netip.AddrPort `name:"api-endpoint" help:"Address at which the cluster's hosts reach the HTTP API, to be that of the service kubernetes." placeholder:"IP:PORT"`
}

// Services are the ranges that services get addresses and ports from.
type Services struct {
	ServiceCIDR string `name:"service-cidr" help:"IPv4 range of the cluster IPs of services; the same for all apiservers." default:"10.96.0.0/16" placeholder:"CIDR"`
	NodePorts   string `name:"service-node-port-range" help:"Range of the node ports of services; the same for all apiservers." default:"30000-32767" placeholder:"FIRST-LAST"`
}

// Run implements the command.
func (c *ServeAPIServer) Run(ctx context.Context, s *session.Session) error {
	var signer *identity.NodeSigner
	if c.DataDir != "" {
		a, err := identity.Load(resolve(s, c.DataDir).authority())
		if err != nil {
			return err
		}
		if signer, err = a.NodeSigner(); err != nil {
			return err
		}
	}
	return c.run(ctx, s, apiserverService(signer, c.Services, c.Gateway, &shared{}, c.log(s)), c.log(s))
}

// ServeController is `skerry serve controller`.
type ServeController struct {
	Remote
	ClusterCIDR string `name:"cluster-cidr" help:"IPv4 range of all pods, of which each node gets a /24." default:"10.244.0.0/16" placeholder:"CIDR"`
	RootCAFile  string `name:"root-ca-file" help:"Certificate authority of the HTTP API (pki/ca.crt of the first host), to publish in every namespace as kube-root-ca.crt." placeholder:"FILE"`
}

// Run implements the command.
func (c *ServeController) Run(ctx context.Context, s *session.Session) error {
	ca, err := readOptional(c.RootCAFile)
	if err != nil {
		return err
	}
	return c.run(ctx, s, controllerService(c.ClusterCIDR, ca, &shared{}, c.log(s)), c.log(s))
}

// ServeScheduler is `skerry serve scheduler`.
type ServeScheduler struct {
	Remote
	Placing
	Name string `help:"The spec.schedulerName whose pods it places; the default one also keeps the work orders of all." default:"default-scheduler" placeholder:"NAME"`
}

// Placing are the flags that say how nodes are scored.
type Placing struct {
	Rebalance     time.Duration `help:"Look so often for pods that would better be elsewhere, because a node joined or their spread has decayed, and evict some, within PodDisruptionBudgets; 0 is never." default:"0s" placeholder:"DURATION"`
	RebalanceMost int           `help:"With --rebalance: how many pods are evicted at most each time." default:"5" placeholder:"N"`

	Pack bool `help:"Fill nodes up, rather than keeping them evenly free (MostAllocated instead of LeastAllocated)."`
}

// Run implements the command.
func (c *ServeScheduler) Run(ctx context.Context, s *session.Session) error {
	return c.run(ctx, s, schedulerService(c.Name, c.Placing, &shared{}, c.log(s)), c.log(s))
}

// ServeAgent is `skerry serve agent`.
type ServeAgent struct {
	Host
	Nats string `help:"URL of the bus." default:"nats://127.0.0.1:4222" placeholder:"URL"`
}

// Run implements the command.
func (c *ServeAgent) Run(ctx context.Context, s *session.Session) error {
	dir := resolve(s, c.DataDir)
	release, err := dir.lock()
	if err != nil {
		return err
	}
	defer release()
	r := Remote{Nats: c.Nats, LogLevel: c.LogLevel}
	log := r.log(s)
	node, err := nodeName(c.Node)
	if err != nil {
		return err
	}
	p, err := findPodman(ctx, s, c.PodmanSocket, dir)
	if err != nil {
		return err
	}
	defer p.stop()
	return r.run(ctx, s, c.agentService(node, p.socket, s.Version, dir, log), log)
}

// ServeBus is `skerry serve bus`.
type ServeBus struct {
	DataDir  string `help:"Folder for keys and state (default: as for up)." placeholder:"DIR"`
	Listen   string `help:"Address to listen at." default:"127.0.0.1:4222" placeholder:"HOST:PORT"`
	TLSCert  string `name:"tls-cert" help:"Certificate, a PEM file." placeholder:"FILE"`
	TLSKey   string `name:"tls-key" help:"Its key, a PEM file." placeholder:"FILE"`
	LogLevel string `help:"debug, info, warn or error." enum:"debug,info,warn,error" default:"info" placeholder:"LEVEL"`
}

// Run implements the command.
func (c *ServeBus) Run(ctx context.Context, s *session.Session) error {
	dir := resolve(s, c.DataDir)
	release, err := dir.lock()
	if err != nil {
		return err
	}
	defer release()
	a, err := identity.Load(dir.authority())
	if err != nil {
		return err
	}
	useRoom(s.Getenv)
	log := logger(s.Stderr, c.LogLevel)
	srv, err := server.Start(ctx, server.Config{
		DataDir: dir.bus(), Listen: c.Listen, Identity: a.ServerConfig(),
		TLSCert: c.TLSCert, TLSKey: c.TLSKey, Log: log.With("service", "bus"),
	})
	if err != nil {
		return err
	}
	s.Printf("The bus listens on %s.\n", srv.URL())
	<-ctx.Done()
	srv.Stop()
	if !errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return nil
}
