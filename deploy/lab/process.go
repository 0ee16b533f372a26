package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// proc is a process of the lab. It is known by pid and start time, so that a pid
// that the kernel gave to somebody else is never signalled.
type proc struct {
	Name  string   `json:"name"`
	Args  []string `json:"args"`
	Env   []string `json:"env,omitempty"`
	Pid   int      `json:"pid,omitempty"`
	Start string   `json:"start,omitempty"`
}

// spawn starts the process in a session of its own, so that it outlives us, with
// its output appended to log/<name>.log.
func (p *proc) spawn(dir string) error {
	log, err := os.OpenFile(filepath.Join(dir, "log", p.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.Args[0], p.Args[1:]...)
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.Pid = cmd.Process.Pid
	p.Start = startTime(p.Pid)
	go func() { _ = cmd.Wait() }() // reaped whenever it ends; ours or init's child by then
	return nil
}

// startTime is field 22 of /proc/<pid>/stat, "" if there is no such process or it
// is a zombie.
func startTime(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The command's name, in brackets, may hold spaces.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}

func (p *proc) alive() bool { return p.Pid > 0 && p.Start != "" && startTime(p.Pid) == p.Start }

// signal sends sig if the process is still ours, and waits until it is gone.
func (p *proc) signal(sig syscall.Signal, wait time.Duration) error {
	if !p.alive() {
		return nil
	}
	if err := syscall.Kill(p.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %s: %w", p.Name, err)
	}
	for deadline := time.Now().Add(wait); p.alive(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s (pid %d) still runs %s after signal %d", p.Name, p.Pid, wait, sig)
		}
	}
	return nil
}

// stop ends the process, kindly first.
func (p *proc) stop() error {
	if p.signal(syscall.SIGTERM, 10*time.Second) == nil {
		return nil
	}
	return p.signal(syscall.SIGKILL, 5*time.Second)
}

// run runs a command and returns its output; the error holds what it said.
func run(name string, args ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// steps runs commands given as words, stopping at the first that fails.
func steps(lines ...string) error {
	for _, l := range lines {
		f := strings.Fields(l)
		if _, err := run(f[0], f[1:]...); err != nil {
			return err
		}
	}
	return nil
}

func itoa(n int) string { return strconv.Itoa(n) }
