package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/config"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
)

// cluster is a control plane without an agent in one process, and simulated nodes in
// others.
type cluster struct {
	dir    string
	binary string
	log    *os.File
	env    []string
	listen string

	bare    memory // of the control plane before there were nodes
	control *process
	nodes   []*process
	conns   []*bus.Conn
}

// bring starts a cluster of n nodes on an empty folder. On failure all is removed.
func bring(ctx context.Context, binary string, n int, o options, simulate ...string) (c *cluster, err error) {
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	c = &cluster{dir: dir, binary: binary}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.tail())
			c.remove()
		}
	}()
	if c.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return c, err
	}
	c.env = append(os.Environ(), "SKERRY_CONFIG="+filepath.Join(dir, "config.yaml"), "HOME="+dir)
	if c.listen, err = freePort(); err != nil {
		return c, err
	}
	if err = c.startControl(o); err != nil {
		return c, err
	}
	if err = c.control.ready(ctx); err != nil {
		return c, err
	}
	if c.bare, err = c.memory(ctx, c.control); err != nil {
		return c, err
	}
	return c, c.simulate(ctx, n, o, simulate...)
}

// startControl starts bus and control plane, on what is in the folder.
func (c *cluster) startControl(o options) (err error) {
	up := []string{"up", "--no-agent", "--data-dir", c.data(), "--listen", c.listen, "--cluster-cidr", "10.0.0.0/8", "--service-cidr", "172.20.0.0/16", "--log-level", o.level}
	limit, _ := o.limits()
	c.control, err = c.launch("control plane", "Skerry is ready", limit, up...)
	return err
}

// limits are the GOMEMLIMITs of the control plane and of each process of nodes.
func (o options) limits() (control, nodes string) {
	control, nodes, several := strings.Cut(o.memlimit, ",")
	if !several {
		nodes = control
	}
	return control, nodes
}

// launch starts a process of the cluster's with a limit of memory, "" for none, that serves
// profiles: what is alive on its heap is read there.
func (c *cluster) launch(name, mark, limit string, args ...string) (*process, error) {
	profile, err := freePort()
	if err != nil {
		return nil, err
	}
	env := c.env
	if limit != "" {
		env = append(slices.Clip(env), "GOMEMLIMIT="+limit)
	}
	p, err := launch(name, mark, c.log, env, c.binary, append(args, "--profile", profile)...)
	if err != nil {
		return nil, err
	}
	p.pprof = profile
	return p, nil
}

// perProcess is how many nodes are simulated in one process at most.
const perProcess = 1000

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

// simulate starts n nodes and waits until all are ready.
func (c *cluster) simulate(ctx context.Context, n int, o options, more ...string) error {
	client, err := c.client(ctx)
	if err != nil {
		return err
	}
	for first := 0; first < n; first += perProcess {
		p, err := c.some(first, min(perProcess, n-first), o, more...)
		if err != nil {
			return err
		}
		if err := p.ready(ctx); err != nil {
			return err
		}
		o.say("%d of %d nodes are connected", min(first+perProcess, n), n)
	}
	return awaitNodes(ctx, client, n)
}

// some starts a process of n nodes.
func (c *cluster) some(first, n int, o options, more ...string) (*process, error) {
	args := append([]string{"simulate", "--nodes", strconv.Itoa(n), "--first", strconv.Itoa(first), "--data-dir", c.data(), "--nats", "nats://" + c.listen,
		"--cpu", "64", "--memory", "512Gi", "--max-pods", "250", "--log-level", o.level}, more...)
	name := "simulated nodes"
	if first > 0 {
		name += " from " + strconv.Itoa(first)
	}
	_, limit := o.limits()
	p, err := c.launch(name, "are connected", limit, args...)
	if err != nil {
		return nil, err
	}
	c.nodes = append(c.nodes, p)
	return p, nil
}

// processes are all that run.
func (c *cluster) processes() []*process {
	if c.control == nil {
		return nil
	}
	return append([]*process{c.control}, c.nodes...)
}

// client connects as the administrator, over a socket as a client would.
func (c *cluster) client(ctx context.Context) (*api.Client, error) {
	f, err := config.Load(filepath.Join(c.dir, "config.yaml"))
	if err != nil {
		return nil, err
	}
	context := f.Find(f.CurrentContext)
	if context == nil {
		return nil, errors.New("skerry up wrote no context")
	}
	creds, err := context.Creds()
	if err != nil {
		return nil, err
	}
	conn, err := bus.Connect(ctx, bus.Options{URL: context.Server, User: bus.User(context.User), Creds: creds, Name: "scale"})
	if err != nil {
		return nil, err
	}
	c.conns = append(c.conns, conn)
	return api.NewClient(conn, kinds.Table()), nil
}

// remove stops everything and removes it.
func (c *cluster) remove() {
	for _, conn := range c.conns {
		conn.Close()
	}
	stop(c.processes())
	if c.log != nil {
		_ = c.log.Close()
	}
	_ = os.RemoveAll(c.dir) // a temporary folder
}

// tail is the end of the log as an error, to go with another.
func (c *cluster) tail() error {
	b, err := os.ReadFile(filepath.Join(c.dir, "log"))
	if err != nil {
		return err
	}
	return fmt.Errorf("the log ends with:\n%s", b[max(0, len(b)-3000):])
}

// awaitNodes waits until n nodes are ready. Looking costs as much as there are nodes, and is not to be what is measured.
func awaitNodes(ctx context.Context, client *api.Client, n int) error {
	for {
		objs, _, err := client.List(ctx, schemas.Nodes, "", metav1.ListOptions{})
		if err != nil {
			return err
		}
		ready := 0
		for _, o := range objs {
			if isNodeReady(o) {
				ready++
			}
		}
		if ready >= n {
			return nil
		}
		t := time.NewTimer(time.Duration(max(n, 500)) * time.Millisecond / 2)
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d nodes are ready: %w", ready, n, ctx.Err())
		}
	}
}

// freePort is an address on which nobody listened just now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
