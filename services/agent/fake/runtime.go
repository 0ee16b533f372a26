// Package fake is a container runtime in memory, for simulating nodes: sandboxes and
// containers with the states, names and errors of Podman's, and no processes in them.
//
// It reads and writes nothing outside of itself. What always holds: it passes the
// tests of package runtimetest, as Podman's driver does; what a container does
// follows from the seed, the container's name and its attempt, not from the order of
// calls; and an idle container costs no goroutine and no timer.
package fake

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// Config says how the containers behave. The zero value starts them at once and
// keeps them running.
type Config struct {
	Seed uint64
	// StartTime is how long a container takes to start, on average: from half to one
	// and a half of it.
	StartTime time.Duration
	// FailRate is the share of starts that fail, 0 to 1.
	FailRate float64
	// Lifetime is the average life of a container that then ends with exit code 1;
	// 0 lets them live.
	Lifetime time.Duration
	// Behave decides in place of all that, if it is not nil.
	Behave func(sandbox.ContainerSpec) Program
	// Image tells which images there are; nil is all.
	Image func(name string) bool
	Now   func() time.Time // nil: time.Now
}

// Program is what a container does.
type Program struct {
	Start time.Duration // before it runs
	Fails error         // in place of running
	Life  time.Duration // after which it ends with Code; 0: until it is stopped
	Code  int
	// Term is the exit code after SIGTERM; a Stubborn one does not end by that.
	Term     int
	Stubborn bool
	Output   string
}

// errDown: calls fail as if nobody answered.
var errDown = fmt.Errorf("simulated outage: %w", sandbox.ErrUnreachable)

// Runtime is one node's. Safe for concurrent use.
type Runtime struct {
	Config

	mu         sync.Mutex
	down       bool
	pods       map[string]*pod  // by id, which is the name
	containers map[string]*pod  // the pods of containers by these' id, likewise; infra containers are not here
	lives      map[string]*life // of the containers that do more than run
	networks   map[string]netip.Prefix
	used       map[netip.Addr]bool
	last       netip.Addr
	emit       func(sandbox.Change)
}

// pod is what of a sandbox's spec is asked for again. There are very many.
type pod struct {
	key         sandbox.Key
	uid         types.UID
	grace       time.Duration
	network     string
	hostNetwork bool
	infra       string // id of the container that holds its namespaces
	state       sandbox.State
	started     time.Time
	ended       time.Time
	ip          netip.Addr
	// containers are handed out: one that changes makes another list.
	containers []sandbox.Container
}

// life is what a container does.
type life struct {
	program Program
	end     *time.Timer // of one that ends by itself
}

// New returns an empty runtime.
func New(c Config) *Runtime {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Runtime{Config: c, pods: map[string]*pod{}, containers: map[string]*pod{}, lives: map[string]*life{},
		networks: map[string]netip.Prefix{}, used: map[netip.Addr]bool{}}
}

// SetDown makes every call fail, or work again.
func (r *Runtime) SetDown(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

// enter takes the lock, unless the runtime is down or ctx has ended.
func (r *Runtime) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	if r.down {
		r.mu.Unlock()
		return errDown
	}
	return nil
}

// Ping implements agent.Runtime.
func (r *Runtime) Ping(ctx context.Context) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	r.mu.Unlock()
	return nil
}

// Describe implements agent.Runtime.
func (r *Runtime) Describe(ctx context.Context) (version, graphRoot string, err error) {
	return "simulated", "", r.Ping(ctx)
}

// Changes implements agent.Runtime.
func (r *Runtime) Changes(ctx context.Context, started func(), emit func(sandbox.Change)) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	r.emit = emit
	r.mu.Unlock()
	started()
	<-ctx.Done()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.emit = nil
	return ctx.Err()
}

// tell returns what tells of a change once the lock is free.
func (r *Runtime) tell(k sandbox.Key, died bool) func() {
	emit := r.emit
	if emit == nil {
		return func() {}
	}
	return func() { emit(sandbox.Change{Key: k, Died: died}) }
}

// steady starts at once and runs until it is stopped.
var steady = &life{}

// life is what a container does.
func (r *Runtime) life(id string) *life {
	if l := r.lives[id]; l != nil {
		return l
	}
	return steady
}

// program decides what a container does.
func (r *Runtime) program(c sandbox.ContainerSpec) Program {
	if r.Behave != nil {
		return r.Behave(c)
	}
	var p Program
	if r.StartTime == 0 && r.FailRate == 0 && r.Lifetime == 0 {
		return p
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(c.FullName()))
	dice := rand.New(rand.NewPCG(r.Seed, h.Sum64()))
	if r.StartTime > 0 {
		p.Start = r.StartTime/2 + time.Duration(dice.Int64N(int64(r.StartTime)+1))
	}
	if dice.Float64() < r.FailRate {
		p.Fails = errors.New("simulated failure: the container could not be started")
	}
	if r.Lifetime > 0 {
		p.Life, p.Code = time.Duration(dice.ExpFloat64()*float64(r.Lifetime))+1, 1
	}
	return p
}
