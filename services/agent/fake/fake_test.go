//go:build linux

package fake_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/fake"
	"github.com/skerry/skerry/services/agent/runtimetest"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// TestContract is what every runtime must do.
func TestContract(t *testing.T) {
	runtimetest.Suite(t, func(t *testing.T) runtimetest.Subject {
		programs := map[string]fake.Program{}
		r := fake.New(fake.Config{
			Behave: func(c sandbox.ContainerSpec) fake.Program { return programs[strings.Join(c.Entrypoint, " ")] },
			Image:  func(name string) bool { return name == "here" },
		})
		programs["obedient"] = fake.Program{Term: 7}
		programs["stubborn"] = fake.Program{Stubborn: true}
		programs["brief"] = fake.Program{Life: time.Millisecond, Code: 3}
		return runtimetest.Subject{
			Runtime: r, Image: "here",
			Program: func(c *sandbox.ContainerSpec, p runtimetest.Program) {
				c.Entrypoint = []string{map[runtimetest.Program]string{
					runtimetest.Obedient: "obedient", runtimetest.Stubborn: "stubborn", runtimetest.Brief: "brief",
				}[p]}
			},
			Armed: func(string) {},
		}
	})
}

// TestSeed: what happens follows from the seed and the container's name, whatever the
// order, and another seed is another story.
func TestSeed(t *testing.T) {
	story := func(seed uint64, order []int) string {
		ctx := t.Context()
		r := fake.New(fake.Config{Seed: seed, FailRate: 0.5})
		if err := r.CreateNetwork(ctx, runtimetest.Network, "", runtimetest.Subnet); err != nil {
			t.Fatal(err)
		}
		fails := make([]string, len(order))
		for _, i := range order {
			s := runtimetest.Spec("x")
			s.Key.Name = schemas.Name(fmt.Sprint("p", i))
			id, err := r.CreateSandbox(ctx, s)
			if err != nil {
				t.Fatal(err)
			}
			c, err := r.CreateContainer(ctx, sandbox.ContainerSpec{SandboxID: id, Sandbox: s, Name: "c"})
			if err != nil {
				t.Fatal(err)
			}
			fails[i] = fmt.Sprint(r.StartContainer(ctx, c) != nil)
		}
		return strings.Join(fails, " ")
	}
	up, down := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, []int{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}
	if a, b := story(1, up), story(1, down); a != b {
		t.Errorf("one seed, two stories:\n%s\n%s", a, b)
	}
	if a, b := story(1, up), story(2, up); a == b {
		t.Errorf("two seeds, one story: %s", a)
	}
}

// TestAddresses: a network that is full says so, and has room again when a pod goes.
func TestAddresses(t *testing.T) {
	ctx := t.Context()
	r := fake.New(fake.Config{})
	if err := r.CreateNetwork(ctx, runtimetest.Network, "", netip.MustParsePrefix("10.0.0.0/29")); err != nil {
		t.Fatal(err)
	}
	start := func(i int) (string, error) {
		s := runtimetest.Spec("x")
		s.Key.Name = schemas.Name(fmt.Sprint("p", i))
		id, err := r.CreateSandbox(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		return id, r.StartSandbox(ctx, s)
	}
	var first string
	for i := range 5 { // 10.0.0.2 to 10.0.0.6
		id, err := start(i)
		if err != nil {
			t.Fatalf("pod %d: %v", i, err)
		}
		if i == 0 {
			first = id
		}
	}
	if _, err := start(5); err == nil {
		t.Fatal("a sixth pod in a network of five")
	}
	if err := r.RemoveSandbox(ctx, first); err != nil {
		t.Fatal(err)
	}
	if _, err := start(6); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestDown(t *testing.T) {
	r := fake.New(fake.Config{})
	r.SetDown(true)
	if _, err := r.Pods(t.Context()); !errors.Is(err, sandbox.ErrUnreachable) {
		t.Errorf("while it is down: %v", err)
	}
	r.SetDown(false)
	if _, err := r.Pods(t.Context()); err != nil {
		t.Errorf("up again: %v", err)
	}
}

// TestShown: what was shown of a pod stays as it was, whatever becomes of its containers.
func TestShown(t *testing.T) {
	ctx := t.Context()
	r := fake.New(fake.Config{})
	s := runtimetest.Spec("x")
	s.HostNetwork = true
	id, err := r.CreateSandbox(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	look := func() []sandbox.Container {
		t.Helper()
		p, err := r.Look(ctx, sandbox.Pod{ID: id})
		if err != nil {
			t.Fatal(err)
		}
		return p.Containers
	}
	var shown [][]sandbox.Container
	var made []string
	for _, name := range []string{"a", "b"} {
		c, err := r.CreateContainer(ctx, sandbox.ContainerSpec{SandboxID: id, Sandbox: s, Name: name})
		if err != nil {
			t.Fatal(err)
		}
		made, shown = append(made, c), append(shown, look())
	}
	err = errors.Join(r.StartContainer(ctx, made[0]))
	shown = append(shown, look())
	err = errors.Join(err, r.StopContainer(ctx, made[0], 0), r.RemoveContainer(ctx, made[0]))
	if shown = append(shown, look()); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"a created", "a created b created", "a running b created", "b created"} {
		var got []string
		for _, c := range shown[i] {
			got = append(got, c.Name+" "+string(c.State))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("shown as the %d.: %q, want %q", i+1, got, want)
		}
	}
}
