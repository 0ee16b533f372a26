//go:build linux

package up

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/skerry/skerry/cli/config"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
)

// Host are the flags of commands that run services on this machine.
type Host struct {
	DataDir        string            `help:"Folder for keys, state and logs (default: /var/lib/skerry, or the user's data folder)." placeholder:"DIR"`
	Node           string            `help:"Name of this machine in the cluster (default: its host name)." placeholder:"NAME"`
	PodmanSocket   string            `help:"Socket of Podman's API (default: the host's; one is started if none answers)." placeholder:"PATH"`
	Address        string            `help:"Address of this machine that others reach it at (default: that of the default route)." placeholder:"IP"`
	NodeLabels     map[string]string `name:"node-label" help:"Label of the node; may be repeated. Of the labels of kubernetes.io and k8s.io a node gives itself only those that say what and where it is." placeholder:"KEY=VALUE"`
	MaxPods        int64             `help:"How many pods this machine runs at most." default:"110" placeholder:"N"`
	Devices        []string          `name:"device" sep:"none" help:"Devices of this machine that pods ask for as a resource: a resource and CDI names or paths (nvidia.com/gpu=nvidia.com/gpu=0,nvidia.com/gpu=1); may be repeated." placeholder:"RESOURCE=DEVICE,…"`
	FlexDir        string            `name:"volume-plugin-dir" help:"Folder of the FlexVolume drivers of this machine (default: /usr/libexec/kubernetes/kubelet-plugins/volume/exec)." placeholder:"DIR"`
	SeccompDefault bool              `help:"Run containers that name no seccomp profile under the runtime's own (default: unconfined, as in Kubernetes)."`
	UnsafeSysctls  []string          `name:"allowed-unsafe-sysctls" help:"Kernel parameters that pods may set beside the safe ones; 'net.core.*' allows a group." placeholder:"NAME"`
	ClusterDomain  string            `help:"What the names of pods with a subdomain end in." default:"cluster.local" placeholder:"DOMAIN"`
	ClusterDNS     []string          `name:"cluster-dns" help:"Address of the cluster's own DNS server; may be repeated (default: pods resolve names as the host does)." placeholder:"IP"`
	LogLevel       string            `help:"debug, info, warn or error." enum:"debug,info,warn,error" default:"${loglevel}" placeholder:"LEVEL"`
	Pressure
}

// Up is `skerry up`.
type Up struct {
	Host
	Placing
	Listen      string `help:"Address that other hosts and clients reach the bus at." default:"127.0.0.1:4222" placeholder:"HOST:PORT"`
	Nats        string `help:"Use the NATS server at this URL instead of an embedded one." placeholder:"URL"`
	TLSCert     string `name:"tls-cert" help:"Certificate of the embedded server, a PEM file." placeholder:"FILE"`
	TLSKey      string `name:"tls-key" help:"Its key, a PEM file." placeholder:"FILE"`
	ClusterCIDR string `name:"cluster-cidr" help:"IPv4 range of all pods, of which each node gets a /24." default:"10.244.0.0/16" placeholder:"CIDR"`
	Services
	Profile string        `help:"Serve Go's profiles over HTTP at this address." placeholder:"HOST:PORT"`
	API     string        `name:"api" help:"Address of the Kubernetes HTTP API (default: 127.0.0.1:6443), or none." placeholder:"HOST:PORT"`
	NoAgent bool          `help:"Control plane only: this machine runs no pods."`
	Detach  bool          `short:"d" help:"Start in the background, and return when it is ready."`
	Wait    time.Duration `name:"ready-timeout" help:"How long a first start may take until it is ready; later ones tell how long they have taken." default:"60s" placeholder:"DURATION"`
}

// Run implements the command.
func (c *Up) Run(ctx context.Context, s *session.Session) error {
	dir := resolve(s, c.DataDir)
	if pid, ok := dir.running(); ok {
		s.Printf("Skerry is already running on %s (pid %d).\n", dir, pid)
		return nil
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return failure.Usage("--tls-cert and --tls-key go together")
	}
	if err := c.disjoint(); err != nil {
		return err
	}
	if c.Detach {
		return detach(ctx, s, dir, c.Wait)
	}
	release, err := dir.lock()
	var running errRunning
	if errors.As(err, &running) {
		s.Printf("Skerry is already running on %s (pid %d).\n", dir, running.pid)
		return nil
	}
	if err != nil {
		return err
	}
	defer release()
	return c.serve(ctx, s, dir)
}

// disjoint refuses ranges that overlap: an address must be a pod's or a service's.
func (c *Up) disjoint() error {
	if c.ClusterCIDR == "" || c.ServiceCIDR == "" {
		return nil // the defaults, which do not
	}
	pods, err := netip.ParsePrefix(c.ClusterCIDR)
	if err != nil {
		return failure.Usage("--cluster-cidr %s: not a range such as 10.244.0.0/16", c.ClusterCIDR)
	}
	services, err := netip.ParsePrefix(c.ServiceCIDR)
	if err != nil {
		return failure.Usage("--service-cidr %s: not a range such as 10.96.0.0/16", c.ServiceCIDR)
	}
	if pods.Overlaps(services) {
		return failure.Usage("the addresses of services (--service-cidr %s) overlap those of pods (--cluster-cidr %s): choose another range for one of them", services, pods)
	}
	return nil
}

// apiAddress is the service kubernetes' address, which the server's certificate names.
func (c *Up) apiAddress() string {
	p, err := netip.ParsePrefix(c.ServiceCIDR)
	if err != nil {
		return ""
	}
	return p.Masked().Addr().Next().String()
}

// serve runs the cluster until ctx ends or a service fails.
func (c *Up) serve(ctx context.Context, s *session.Session, dir dataDir) error {
	begun, waiting := s.Now(), parentOf(s)
	log := logger(s.Stderr, c.LogLevel)
	node, err := nodeName(c.Node)
	if err != nil {
		return err
	}
	cl := &cluster{s: s, dir: dir, log: log, node: node, up: c, failed: make(chan error, 1)}
	defer startProfile(ctx, c.Profile, cl.failed)()
	defer startRest(ctx, processHeap())()
	useRoom(s.Getenv)
	err = c.begin(ctx, cl)
	if err == nil {
		err = c.announce(s, cl, begun, waiting)
	}
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-cl.failed:
		}
	}
	waiting.failed(err)
	log.Info("stopping")
	stopErr := cl.stop()
	if ctx.Err() != nil {
		return nil // told to stop: not a failure
	}
	return errors.Join(err, stopErr)
}

// begin starts the cluster. The first time it has to be ready soon. Later it may take as long as it takes, and says so now and
// then: to read a large state takes minutes, and whoever gave up would have to begin anew.
func (c *Up) begin(ctx context.Context, cl *cluster) error {
	if !cl.dir.used() || c.Wait <= 0 {
		return session.Within(ctx, c.Wait, cl.start)
	}
	over := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		tick := time.NewTicker(c.Wait)
		defer tick.Stop()
		for begun := time.Now(); ; {
			select {
			case <-tick.C:
				cl.log.Warn("still starting", "for", time.Since(begun).Round(time.Second))
			case <-over:
				return
			}
		}
	})
	defer watcher.Wait()
	defer close(over)
	return cl.start(ctx)
}

// announce writes the admin's context and says what there is now.
func (c *Up) announce(s *session.Session, cl *cluster, begun time.Time, waiting *parent) error {
	path, err := writeContext(s, cl)
	if err != nil {
		return err
	}
	ca, err := readOptional(c.TLSCert)
	if err != nil {
		return err
	}
	token, err := joinToken(cl.authority, ca)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Skerry is ready after %s.\n", s.Now().Sub(begun).Round(time.Millisecond))
	fmt.Fprintf(&b, "  bus      %s\n", cl.url)
	if c.NoAgent {
		fmt.Fprintf(&b, "  node     none (--no-agent)\n")
	} else {
		fmt.Fprintf(&b, "  node     %s, Podman at %s\n", cl.node, cl.podman.socket)
	}
	fmt.Fprintf(&b, "  api      %s\n", cl.apiNote)
	fmt.Fprintf(&b, "  data     %s\n", cl.dir)
	fmt.Fprintf(&b, "  context  %s in %s\n", contextName, path)
	if loopback(cl.url) {
		fmt.Fprintf(&b, "To let other hosts join, start it with --listen ADDRESS:4222.\n")
	} else {
		fmt.Fprintf(&b, "On another host: skerry join %s --token %s\n", reachable(cl.url, routedAddress()), token)
	}
	s.Printf("%s", b.String())
	waiting.ready(b.String())
	return nil
}

// contextName is what `up` calls its context.
const contextName = "local"

// writeContext makes this cluster the one that the CLI talks to.
func writeContext(s *session.Session, cl *cluster) (string, error) {
	path, err := s.ConfigPath()
	if err != nil {
		return "", err
	}
	f, err := config.Load(path)
	if err != nil {
		return "", err
	}
	creds, err := cl.credentials(adminService)
	if err != nil {
		return "", err
	}
	c := config.Context{Name: contextName, Server: reachable(cl.url, "127.0.0.1"), User: string(adminService.user), CredentialsData: string(creds)}
	if c.CAData, err = readOptional(cl.up.TLSCert); err != nil {
		return "", err
	}
	f.Set(c)
	f.CurrentContext = contextName
	return path, f.Save(path)
}

func readOptional(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read certificate: %w", err)
	}
	return string(b), nil
}

// nodeName is the flag's, or the host's name as a Kubernetes name.
func nodeName(flag string) (schemas.NodeName, error) {
	if flag != "" {
		return schemas.NodeName(flag), nil
	}
	h, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("find the host's name (--node sets one): %w", err)
	}
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '-', r == '.':
			return r
		}
		return '-'
	}, strings.ToLower(h))
	return schemas.NodeName(strings.Trim(name, "-.")), nil
}

// logger writes to w from level up.
func logger(w io.Writer, level string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l}))
}
