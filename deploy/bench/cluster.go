package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/config"
	"github.com/skerry/skerry/schemas/kinds"
)

// cluster is a `skerry up` on an empty data folder.
type cluster struct {
	m      *machine
	dir    string
	config string
	cmd    *exec.Cmd
	ended  chan error
	ready  time.Duration // from its start until it said that it is ready
	conns  []*bus.Conn
}

// up starts a cluster, with further arguments, and returns when it says that it is ready.
func (m *machine) up(ctx context.Context, args ...string) (*cluster, error) {
	listen, err := freePort()
	if err != nil {
		return nil, err
	}
	web, err := freePort()
	if err != nil {
		return nil, err
	}
	c := &cluster{m: m, dir: m.path("data"), config: m.path("config.yaml"), ended: make(chan error, 1)}
	c.cmd = exec.Command(m.binary, "up", "--data-dir", c.dir, "--podman-socket", m.options().Socket,
		"--listen", listen, "--api", web, "--address", "127.0.0.1", "--node", "bench")
	c.cmd.Args = append(c.cmd.Args, args...)
	c.cmd.Env = m.environ(c.config)
	c.cmd.Stderr = m.log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt of ours is for us to handle
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	said := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "Skerry is ready") {
				c.ready = time.Since(begun)
				said <- true
			}
		}
		close(said)
		c.ended <- c.cmd.Wait()
	}()
	select {
	case ok := <-said:
		if ok {
			return c, nil
		}
		err = errors.New("skerry up ended before it was ready")
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, errors.Join(err, c.down(), m.tail())
}

// down stops the cluster and removes its pods, network and data.
func (c *cluster) down() error {
	for _, conn := range c.conns {
		conn.Close()
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended: // it was told to; what it says is in the log
	case <-time.After(20 * time.Second):
		_ = c.cmd.Process.Kill()
		<-c.ended
	}
	return c.skerry(context.Background(), "down", "--purge", "--data-dir", c.dir, "--podman-socket", c.m.options().Socket)
}

// skerry runs the command line on the cluster.
func (c *cluster) skerry(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, c.m.binary, args...)
	cmd.Env = c.m.environ(c.config)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("skerry %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}

// client connects to the bus as the administrator, over a socket as a client would.
func (c *cluster) client(ctx context.Context) (*api.Client, error) {
	f, err := config.Load(c.config)
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
	conn, err := bus.Connect(ctx, bus.Options{URL: context.Server, User: bus.User(context.User), Creds: creds, Name: "bench"})
	if err != nil {
		return nil, err
	}
	c.conns = append(c.conns, conn)
	return api.NewClient(conn, kinds.Table()), nil
}

// tail is the end of the log as an error, to go with another.
func (m *machine) tail() error {
	b, err := os.ReadFile(m.path("log"))
	if err != nil {
		return err
	}
	return fmt.Errorf("the log ends with:\n%s", b[max(0, len(b)-3000):])
}

// freePort is an address on which nobody listened just now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
