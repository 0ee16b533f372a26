//go:build linux

package runtimetest

import (
	"errors"
	"net/netip"
	"time"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// life: a sandbox from its making to its end.
func life(b *bed) {
	_, id := b.run(b.spec("web"), sandbox.ContainerSpec{Attempt: 3, Hash: "h"}, Obedient)
	p := b.one()
	if p.Key.String() != "default/p" || p.UID != Spec("").UID || p.Grace != 2*time.Second || p.Infra.State != sandbox.Running {
		b.Errorf("sandbox = %+v", p)
	}
	if ip, err := netip.ParseAddr(p.IP); err != nil || !Subnet.Contains(ip) {
		b.Errorf("IP = %q", p.IP)
	}
	c := p.Newest("c")
	if c == nil || c.State != sandbox.Running || c.Attempt != 3 || c.Hash != "h" || c.StartedAt.IsZero() || c.ID != id {
		b.Fatalf("container = %+v", c)
	}
	if err := b.Runtime.StopContainer(b.ctx, id, 5*time.Second); err != nil {
		b.Fatal(err)
	}
	b.died(p.Key)
	ps, err := b.Runtime.Pod(b.ctx, p.Key)
	if err != nil || len(ps) != 1 {
		b.Fatal(ps, err)
	}
	if c := ps[0].Newest("c"); c.State != sandbox.Exited || c.ExitCode != 7 || c.FinishedAt.IsZero() {
		b.Errorf("stopped container = %+v", c)
	}
	if seen, err := b.Runtime.Look(b.ctx, p); err != nil || seen.Newest("c").ExitCode != 7 || seen.IP != p.IP {
		b.Errorf("Look = %+v, %v", seen, err)
	}
	for range 2 { // stopping and removing what is gone is no error
		err := errors.Join(b.Runtime.StopContainer(b.ctx, id, 0), b.Runtime.RemoveContainer(b.ctx, id), b.Runtime.RemoveSandbox(b.ctx, p.ID))
		if err != nil {
			b.Error(err)
		}
	}
	b.gone(p)
}

// killed: what does not end by SIGTERM ends by SIGKILL, after its grace or at once.
func killed(b *bed) {
	_, id := b.run(b.spec("web"), sandbox.ContainerSpec{}, Stubborn)
	begun := time.Now()
	if err := b.Runtime.StopContainer(b.ctx, id, time.Second); err != nil {
		b.Fatal(err)
	}
	if took := time.Since(begun); took < 900*time.Millisecond {
		b.Errorf("it had %s of its grace", took)
	}
	if c := b.ended(b.one()); c.ExitCode != 137 {
		b.Errorf("exit code %d", c.ExitCode)
	}
}

// ends: a container that ends by itself is told of.
func ends(b *bed) {
	b.run(b.spec("web"), sandbox.ContainerSpec{}, Brief)
	b.died(Spec("").Key)
	if c := b.ended(b.one()); c.ExitCode != 3 {
		b.Errorf("exit code %d", c.ExitCode)
	}
}

// repeated: making twice makes once, and says so; starting twice is no error.
func repeated(b *bed) {
	s := b.spec("web")
	pod, _ := b.run(s, sandbox.ContainerSpec{}, Obedient)
	if _, err := b.Runtime.CreateSandbox(b.ctx, s); !errors.Is(err, sandbox.ErrExists) {
		b.Errorf("second CreateSandbox: %v", err)
	}
	c := sandbox.ContainerSpec{SandboxID: pod, Sandbox: s, Name: "c", Image: b.Image}
	if _, err := b.Runtime.CreateContainer(b.ctx, c); !errors.Is(err, sandbox.ErrExists) {
		b.Errorf("second CreateContainer: %v", err)
	}
	if err := b.Runtime.StartSandbox(b.ctx, s); err != nil {
		b.Errorf("second StartSandbox: %v", err)
	}
	c.Attempt = 1
	b.Program(&c, Brief)
	if _, err := b.Runtime.CreateContainer(b.ctx, c); err != nil {
		b.Errorf("the next attempt: %v", err)
	}
	if n := len(b.one().Containers); n != 2 {
		b.Errorf("%d containers", n)
	}
}

// removed: a sandbox goes with all that runs in it, and one that was stopped keeps
// its containers to be looked at.
func removed(b *bed) {
	pod, _ := b.run(b.spec("web"), sandbox.ContainerSpec{}, Stubborn)
	p := b.one()
	if err := b.Runtime.StopSandbox(b.ctx, pod); err != nil {
		b.Fatal(err)
	}
	stopped := b.one()
	if stopped.Infra.State != sandbox.Exited || stopped.Newest("c").State != sandbox.Exited {
		b.Errorf("stopped sandbox = %+v", stopped)
	}
	if err := b.Runtime.RemoveSandbox(b.ctx, pod); err != nil {
		b.Fatal(err)
	}
	b.gone(p)
}

// images: what is not there is said to be missing, by each call in its way.
func images(b *bed) {
	const none = "localhost/nothing:1"
	if ok, err := b.Runtime.ImageExists(b.ctx, b.Image); err != nil || !ok {
		b.Errorf("ImageExists = %v, %v", ok, err)
	}
	if ok, err := b.Runtime.ImageExists(b.ctx, none); err != nil || ok {
		b.Errorf("ImageExists of nothing = %v, %v", ok, err)
	}
	if err := b.Runtime.PullImage(b.ctx, none, sandbox.Credential{}); err == nil {
		b.Error("an image that is nowhere was pulled")
	}
	s := b.spec("x")
	pod, err := b.Runtime.CreateSandbox(b.ctx, s)
	if err != nil {
		b.Fatal(err)
	}
	_, err = b.Runtime.CreateContainer(b.ctx, sandbox.ContainerSpec{SandboxID: pod, Sandbox: s, Name: "c", Image: none})
	if !errors.Is(err, sandbox.ErrImageUnknown) {
		b.Errorf("CreateContainer without its image: %v", err)
	}
}

// networks: one that pods use is not removed.
func networks(b *bed) {
	if got, err := b.Runtime.NetworkSubnet(b.ctx, Network); err != nil || got != Subnet {
		b.Errorf("NetworkSubnet = %v, %v", got, err)
	}
	if _, err := b.Runtime.NetworkSubnet(b.ctx, "other"); !errors.Is(err, sandbox.ErrNotFound) {
		b.Errorf("NetworkSubnet of another: %v", err)
	}
	if err := b.Runtime.CreateNetwork(b.ctx, Network, "skerry0", Subnet); !errors.Is(err, sandbox.ErrExists) {
		b.Errorf("second CreateNetwork: %v", err)
	}
	pod, _ := b.run(b.spec("web"), sandbox.ContainerSpec{}, Obedient)
	if err := b.Runtime.RemoveNetwork(b.ctx, Network); err == nil {
		b.Error("a network in use was removed")
	}
	if err := errors.Join(b.Runtime.RemoveSandbox(b.ctx, pod), b.Runtime.RemoveNetwork(b.ctx, Network)); err != nil {
		b.Error(err)
	}
}

// twins: two pods of one name, of which the older has not gone yet, are told apart,
// and have addresses of their own.
func twins(b *bed) {
	old, next := b.spec("web"), b.spec("web")
	next.UID = "87654321-bbbb"
	b.run(old, sandbox.ContainerSpec{}, Obedient)
	pod, _ := b.run(next, sandbox.ContainerSpec{}, Obedient)
	ps, err := b.Runtime.Pod(b.ctx, old.Key)
	if err != nil || len(ps) != 2 {
		b.Fatal(ps, err)
	}
	if ps[0].UID == ps[1].UID || ps[0].IP == ps[1].IP {
		b.Errorf("pods = %+v", ps)
	}
	if err := b.Runtime.RemoveSandbox(b.ctx, pod); err != nil {
		b.Fatal(err)
	}
	if p := b.one(); p.UID != old.UID {
		b.Errorf("the wrong one is left: %+v", p)
	}
}
