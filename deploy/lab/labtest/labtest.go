// Package labtest runs a package's tests on a lab: real Podman hosts in network
// namespaces of their own, with every service and agent a process of its own.
//
// It reads bin/skerry and writes one temporary directory. What always holds: when the
// tests have ended, everything that the lab made is gone.
package labtest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/deploy/lab"
	"github.com/skerry/skerry/schemas/kinds"
)

// Patience is how long anything may take before a test calls it stuck.
const Patience = 40 * time.Second

// Rig is a lab with a command line and a client.
type Rig struct {
	*lab.Lab
	Client *api.Client // the administrator's
}

// Main makes a lab, calls ready with it, runs the tests and removes the lab. o needs
// neither a directory nor a binary. It returns the exit code. Short runs have no lab
// and run no test.
func Main(m *testing.M, o lab.Options, ready func(*Rig) error) int {
	flag.Parse()
	if testing.Short() {
		fmt.Fprintln(os.Stderr, "lab: no real Podman in a short run: no test was run")
		return 0
	}
	code, err := inLab(m, o, ready)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	return code
}

func inLab(m *testing.M, o lab.Options, ready func(*Rig) error) (code int, err error) {
	if os.Geteuid() != 0 {
		return 0, errors.New("network namespaces and Podman hosts need root")
	}
	if o.Binary, err = findBinary(); err != nil {
		return 0, err
	}
	if o.Dir, err = os.MkdirTemp("/var/tmp", "sk"); err != nil {
		return 0, err
	}
	l, err := lab.Start(context.Background(), o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.Stop()) }()
	creds, err := os.ReadFile(l.Creds("admin"))
	if err != nil {
		return 0, err
	}
	conn, err := bus.Connect(context.Background(), bus.Options{URL: l.URL(), User: "admin", Creds: creds})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	r := &Rig{Lab: l, Client: api.NewClient(conn, kinds.Table())}
	r.Client.RetryFor = 30 * time.Second
	if err := ready(r); err != nil {
		return 0, err
	}
	code = m.Run()
	if code != 0 {
		printLogs(o.Dir)
	}
	return code, nil
}

// findBinary is bin/skerry of the module that the test is in.
func findBinary() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			continue
		}
		binary := filepath.Join(dir, "bin", "skerry")
		if _, err := os.Stat(binary); err != nil {
			return "", fmt.Errorf("build it with `go tool task build`: %w", err)
		}
		return binary, nil
	}
	return "", errors.New("not in a checkout")
}

// printLogs shows the end of every service's log, for a failure that cannot be repeated.
func printLogs(dir string) {
	logs, _ := filepath.Glob(filepath.Join(dir, "log", "*.log"))
	for _, l := range logs {
		b, _ := os.ReadFile(l)
		fmt.Fprintf(os.Stderr, "--- %s\n%s\n", filepath.Base(l), b[max(0, len(b)-4000):])
	}
}

// Skerry runs the command line and returns what it printed; it must succeed.
func (r *Rig) Skerry(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	out, err := r.TrySkerry(t, stdin, args...)
	if err != nil {
		t.Fatalf("skerry %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// TrySkerry runs the command line and returns what it printed and how it ended.
func (r *Rig) TrySkerry(t testing.TB, stdin string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*Patience)
	defer cancel()
	cmd := r.Command(ctx, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Command is the command line, talking to this lab.
func (r *Rig) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, r.Binary, args...)
	cmd.Env = append(os.Environ(), "SKERRY_CONFIG="+r.Config())
	return cmd
}

// Eventually polls, since the lab's hosts give no notice of everything, until f
// returns nil or patience ends.
func (r *Rig) Eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	deadline := time.After(Patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s: still %v after %s\n%s", what, err, Patience, r.snapshot(t))
		case <-tick.C:
		}
	}
}

// snapshot is what a person would look at first.
func (r *Rig) snapshot(t testing.TB) string {
	t.Helper()
	var b bytes.Buffer
	for _, args := range [][]string{{"get", "nodes"}, {"get", "deploy,rs,pods", "-A", "-o", "wide"}, {"events", "-A"}} {
		out, err := r.TrySkerry(t, "", args...)
		fmt.Fprintf(&b, "$ skerry %s\n%s", strings.Join(args, " "), out[max(0, len(out)-8000):])
		if err != nil {
			fmt.Fprintln(&b, err)
		}
	}
	return b.String()
}

// Namespace makes one that is named like the test and removes it afterwards.
func (r *Rig) Namespace(t testing.TB) string {
	t.Helper()
	ns := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	ns = strings.TrimRight(ns[:min(len(ns), 63)], "-")
	r.Skerry(t, "", "create", "namespace", ns)
	t.Cleanup(func() {
		r.Skerry(t, "", "delete", "namespace", ns, "--timeout", Patience.String())
	})
	return ns
}
