package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/identity"
	"github.com/skerry/skerry/bus/metric"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/cli/config"
	"github.com/skerry/skerry/schemas"
)

// fullHost is how many pods run on a host that is in use.
const fullHost = 100

// full measures what an agent of its own needs while 100 pods run and nothing happens.
func (b *bench) full(ctx context.Context) (rows []row, err error) {
	c, err := b.up(ctx, "--no-agent")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.tail())
		}
		err = errors.Join(err, c.down())
	}()
	agent, err := c.agent()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, endOf(agent)) }()
	client, err := c.client(ctx)
	if err != nil {
		return nil, err
	}
	watching, cancel := context.WithCancel(ctx)
	pods := watch(watching, client)
	ready := pods.expect("ready pods", count(fullHost, isReady))
	err = c.apply(ctx, deployment("full", fullHost))
	if err == nil {
		_, err = ready(ctx)
	}
	cancel()
	<-pods.done
	if err != nil {
		return nil, err
	}
	if err := pause.For(ctx, settle); err != nil {
		return nil, err
	}
	return b.fullRows(ctx, client, agent.Process.Pid)
}

// agent starts this machine's agent as a process of its own.
func (c *cluster) agent() (*exec.Cmd, error) {
	a, err := identity.Load(c.dir)
	if err != nil {
		return nil, err
	}
	creds, err := a.Credentials(identity.RoleNode, bus.NodeUser("bench"))
	if err != nil {
		return nil, err
	}
	path := c.m.path("agent.creds")
	if err := os.WriteFile(path, creds, 0o600); err != nil {
		return nil, err
	}
	f, err := config.Load(c.config)
	if err != nil {
		return nil, err
	}
	at := f.Find(f.CurrentContext)
	if at == nil {
		return nil, errors.New("skerry up wrote no context")
	}
	cmd := exec.Command(c.m.binary, "serve", "agent", "--nats", at.Server, "--creds", path, "--node", "bench",
		"--podman-socket", c.m.options().Socket, "--data-dir", c.m.path("agent"), "--address", "127.0.0.1")
	cmd.Env = c.m.environ(c.config)
	cmd.Stdout, cmd.Stderr = c.m.log, c.m.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd, cmd.Start()
}

func endOf(cmd *exec.Cmd) error {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	_ = cmd.Wait() // how it ended is of no interest: it was told to
	return nil
}

func (b *bench) fullRows(ctx context.Context, client *api.Client, pid int) ([]row, error) {
	before, err := cpuTimes(pid, b.podman.Pid())
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := pause.For(ctx, b.full100); err != nil {
		return nil, err
	}
	after, err := cpuTimes(pid, b.podman.Pid())
	if err != nil {
		return nil, err
	}
	wall := time.Since(begun)
	rss, err := field(fmt.Sprintf("/proc/%d/status", pid), "VmRSS")
	if err != nil {
		return nil, err
	}
	asked, cost, err := b.asked(ctx, client, pid)
	if err != nil {
		return nil, err
	}
	percent := func(i int) string {
		return fmt.Sprintf("%.2f %%", 100*(after[i]-before[i]).Seconds()/wall.Seconds())
	}
	what := fmt.Sprintf("Agent, %d pods running: ", fullHost)
	over := "over " + wall.Round(time.Second).String()
	return []row{
		reference(what+"resident memory (VmRSS)", fmt.Sprintf("%.0f MB", float64(rss)*1024/1e6), ""),
		reference(what+"CPU time, of one core", percent(0), over),
		reference("— Podman's service meanwhile", percent(1), over),
		reference("— one answer with the figures of all pods, over the bus", asked.String(), asked.spread()),
		reference("— CPU time of the agent for it", show(cost), ""),
	}, nil
}

// asked asks the agent for the figures of all pods some times, and returns how long it
// took and what it cost the agent each time.
func (b *bench) asked(ctx context.Context, client *api.Client, pid int) (s sample, cost time.Duration, err error) {
	const times = 10
	var first []time.Duration
	for i := range times + 1 {
		begun := time.Now()
		got, silent := metric.Gather(ctx, client.Conn(), []schemas.NodeName{"bench"}, metric.Ask{Pods: true})
		took := time.Since(begun)
		if len(silent) > 0 || len(got[0].Pods) < fullHost {
			return nil, 0, fmt.Errorf("the agent did not tell what its pods use: %v", silent)
		}
		if i == 0 { // it had nothing to compare with yet
			if first, err = cpuTimes(pid); err != nil {
				return nil, 0, err
			}
		} else {
			s = append(s, took)
		}
		if err := pause.For(ctx, 1200*time.Millisecond); err != nil { // longer than figures are told again
			return nil, 0, err
		}
	}
	last, err := cpuTimes(pid)
	if err != nil {
		return nil, 0, err
	}
	return s, (last[0] - first[0]) / times, nil
}
