package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a running command that says when it is ready.
type process struct {
	name  string
	cmd   *exec.Cmd
	said  chan bool
	ended chan struct{}
	pprof string // address of its profiles
}

// launch starts a command, whose output's first line with mark says that it is ready.
func launch(name, mark string, log io.Writer, env []string, binary string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(binary, args...), said: make(chan bool, 1), ended: make(chan struct{})}
	p.cmd.Env, p.cmd.Stderr = env, log
	// An interrupt of ours is for us to handle; should we be killed, so is what we started.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.Contains(lines.Text(), mark) {
				p.said <- true
			}
		}
		close(p.said)
		_ = p.cmd.Wait() // it was told to end, or what it says is in the log
		close(p.ended)
	}()
	return p, nil
}

// ready waits until the process says so.
func (p *process) ready(ctx context.Context) error {
	select {
	case ok := <-p.said:
		if ok {
			return nil
		}
		return fmt.Errorf("%s ended before it was ready", p.name)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends processes, all at once, and waits for them: not long, since nothing of theirs
// is kept.
func stop(ps []*process) {
	for _, p := range ps {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	limit := time.NewTimer(stopWait)
	defer limit.Stop()
	for _, p := range ps {
		select {
		case <-p.ended:
		case <-limit.C:
			limit.Reset(0) // the others have had their time as well
			_ = p.cmd.Process.Kill()
			<-p.ended
		}
	}
}

// stopWait is how long processes have to end. What interrupts us may kill us soon after.
const stopWait = 10 * time.Second

// usage is what a process has used so far.
type usage struct {
	cpu  time.Duration // user and system
	rss  int64         // bytes, now
	peak int64         // bytes, the most since the last reset
}

// add sums up processes. Their peaks may have been at different times.
func (u usage) add(v usage) usage { return usage{u.cpu + v.cpu, u.rss + v.rss, u.peak + v.peak} }

// sum is the usage of several processes.
func sum(ps []*process) (u usage, err error) {
	for _, p := range ps {
		v, err := p.usage()
		if err != nil {
			return u, err
		}
		u = u.add(v)
	}
	return u, nil
}

// usage reads what the kernel counts.
func (p *process) usage() (usage, error) {
	pid := p.cmd.Process.Pid
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, err
	}
	// The fields after the command's name, which ends with the last parenthesis.
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(f) < 13 {
		return usage{}, errors.New("read a process's times: too few fields")
	}
	var ticks int64
	for _, s := range f[11:13] {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return usage{}, err
		}
		ticks += n
	}
	u := usage{cpu: time.Duration(ticks) * 10 * time.Millisecond}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return usage{}, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			u.rss = kb << 10
		case "VmHWM":
			u.peak = kb << 10
		}
	}
	return u, nil
}

// resetPeak has the kernel count the peak from now on.
func (p *process) resetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0)
}

// profileTo saves a profile of the process; seconds is 0 for one of the moment.
func (p *process) profileTo(path, kind string, seconds int) error {
	url := fmt.Sprintf("http://%s/debug/pprof/%s", p.pprof, kind)
	if seconds > 0 {
		url += fmt.Sprintf("?seconds=%d", seconds)
	}
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, resp.Body)
	return errors.Join(err, f.Close())
}
