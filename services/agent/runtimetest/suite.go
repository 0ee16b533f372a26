//go:build linux

// Package runtimetest is what every container runtime of the agent must do: one
// suite of tests for Podman's driver and for the simulated one.
//
// It reads and writes a runtime that it is given. What always holds: a test that
// passes on one runtime says the same of another, so that what is measured on simulated
// nodes is what happens on real ones.
package runtimetest

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/skerry/skerry/services/agent"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Program is what a container does.
type Program int

// The programs that a Subject can run.
const (
	Obedient Program = iota // runs until SIGTERM, then ends with code 7
	Stubborn                // does not end by SIGTERM
	Brief                   // ends by itself with code 3
)

// Subject is a runtime under test with nothing in it.
type Subject struct {
	Runtime agent.Runtime
	Image   string // that is there
	Alone   bool   // make sandboxes of single containers that share nothing
	// Program has c's container do p.
	Program func(c *sandbox.ContainerSpec, p Program)
	// Armed waits until the container's program is ready for signals.
	Armed func(id string)
}

// Network is the pods' network in a Subject.
const Network = "skerry"

// Subnet is its range.
var Subnet = netip.MustParsePrefix("10.244.7.0/24")

// Suite runs all tests; open makes a fresh subject.
func Suite(t *testing.T, open func(t *testing.T) Subject) {
	for name, f := range map[string]func(*bed){
		"Life": life, "KilledAfterGrace": killed, "EndsByItself": ends, "Repeated": repeated,
		"RemovedInTheMiddle": removed, "Images": images, "Network": networks, "TwoOfAName": twins,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			b := &bed{T: t, Subject: open(t), ctx: ctx, changes: make(chan sandbox.Change, 64)}
			if err := b.Runtime.CreateNetwork(ctx, Network, "skerry0", Subnet); err != nil {
				t.Fatal(err)
			}
			defer b.listen()()
			f(b)
		})
	}
}

// bed is one test's runtime.
type bed struct {
	*testing.T
	Subject
	ctx     context.Context
	changes chan sandbox.Change
}

// listen follows the changes until the returned function is called.
func (b *bed) listen() (stop func()) {
	ctx, cancel := context.WithCancel(b.ctx)
	open, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_ = b.Runtime.Changes(ctx, func() { close(open) }, func(c sandbox.Change) {
			select {
			case b.changes <- c:
			default: // they are hints
			}
		})
	}()
	select {
	case <-open:
	case <-ended:
		b.Fatal("the runtime tells of no changes")
	}
	return func() { cancel(); <-ended }
}

// died waits for the news that a container of k ended.
func (b *bed) died(k sandbox.Key) {
	b.Helper()
	for {
		select {
		case c := <-b.changes:
			if c.Key == k && c.Died {
				return
			}
		case <-b.ctx.Done():
			b.Fatal("nothing told that the container ended")
		}
	}
}

// Spec is a pod's sandbox.
func Spec(hostname string) sandbox.Spec {
	return sandbox.Spec{
		Key: sandbox.Key{Namespace: "default", Name: "p"}, UID: "12345678-aaaa", Grace: 2 * time.Second,
		Hostname: hostname, Network: Network,
	}
}

// spec is a pod's sandbox, of the subject's sort.
func (b *bed) spec(hostname string) sandbox.Spec {
	s := Spec(hostname)
	s.Alone = b.Alone
	return s
}

// run makes a sandbox with one container.
func (b *bed) run(s sandbox.Spec, c sandbox.ContainerSpec, p Program) (pod, id string) {
	b.Helper()
	pod, err := b.Runtime.CreateSandbox(b.ctx, s)
	if err == nil {
		err = b.Runtime.StartSandbox(b.ctx, s)
	}
	if err != nil {
		b.Fatal(err)
	}
	c.SandboxID, c.Sandbox, c.Name, c.Image = pod, s, "c", b.Image
	b.Program(&c, p)
	if id, err = b.Runtime.CreateContainer(b.ctx, c); err == nil {
		err = b.Runtime.StartContainer(b.ctx, id)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Armed(id)
	return pod, id
}

// one is the only sandbox there is.
func (b *bed) one() sandbox.Pod {
	b.Helper()
	ps, err := b.Runtime.Pods(b.ctx)
	if err != nil || len(ps) != 1 {
		b.Fatalf("Pods() = %v, %v", ps, err)
	}
	return ps[0]
}

// ended looks until the container has ended, and returns it.
func (b *bed) ended(p sandbox.Pod) sandbox.Container {
	b.Helper()
	seen, err := b.Runtime.Look(b.ctx, p)
	if err != nil {
		b.Fatal(err)
	}
	c := seen.Newest("c")
	if c == nil || c.State != sandbox.Exited || c.FinishedAt.IsZero() {
		b.Fatalf("container = %+v", c)
	}
	return *c
}

func (b *bed) gone(p sandbox.Pod) {
	b.Helper()
	if _, err := b.Runtime.Look(b.ctx, p); !errors.Is(err, sandbox.ErrNotFound) {
		b.Errorf("Look after removal: %v", err)
	}
	if ps, err := b.Runtime.Pods(b.ctx); err != nil || len(ps) != 0 {
		b.Errorf("after removal: %v, %v", ps, err)
	}
}
