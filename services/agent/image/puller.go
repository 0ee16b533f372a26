package image

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// Store is the runtime's image store.
type Store interface {
	ImageExists(ctx context.Context, image string) (bool, error)
	PullImage(ctx context.Context, image string, c sandbox.Credential) error
}

// ErrNever: the image is not here, and must not be pulled.
var ErrNever = errors.New("the image is not present, and its pull policy is Never")

// Use is one start of one container.
type Use struct {
	Pod       types.UID
	Container string
	Attempt   int
}

// Back-off between failed pulls of one container's image.
const (
	firstDelay = 10 * time.Second
	maxDelay   = 5 * time.Minute
	missingFor = 5 * time.Second
)

// atOnce is how many pulls run at a time: a host's line is seldom faster for more.
const atOnce = 3

// Outcome is told once for each pull that a Use waited for.
type Outcome struct {
	Use   Use
	Image string
	Took  time.Duration
	// Here is true if nothing was pulled because the image was in the store.
	Here bool
	Err  error
}

// Puller pulls images in the background. Safe for concurrent use.
type Puller struct {
	store Store
	now   func() time.Time
	slots chan struct{}
	wg    sync.WaitGroup

	mu     sync.Mutex
	states map[Use]State
	delays map[string]time.Duration // by pod uid and image
	flight map[string]*flight
}

// flight is one pull that several uses may wait for.
type flight struct {
	uses  []Use
	done  []func(Outcome)
	since time.Time
}

// NewPuller returns a puller into store.
func NewPuller(store Store, now func() time.Time) *Puller {
	return &Puller{
		store: store, now: now, slots: make(chan struct{}, atOnce),
		states: map[Use]State{}, delays: map[string]time.Duration{}, flight: map[string]*flight{},
	}
}

// State is what is known about the image for u.
func (p *Puller) State(u Use) State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.states[u]
}

// MarkMissing notes that a start of u found no image in the store.
func (p *Puller) MarkMissing(u Use) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.states[u] = State{Phase: Missing, Since: now, Until: now.Add(missingFor)}
}

// Started drops what is known for a use that has started, and those before it.
func (p *Puller) Started(u Use) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for o := range p.states {
		if o.Pod == u.Pod && o.Container == u.Container && o.Attempt <= u.Attempt {
			delete(p.states, o)
		}
	}
}

// Forget drops what is known about a pod's images.
func (p *Puller) Forget(uid types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for u := range p.states {
		if u.Pod == uid {
			delete(p.states, u)
		}
	}
	for k := range p.delays {
		if len(k) > len(uid) && k[:len(uid)] == string(uid) {
			delete(p.delays, k)
		}
	}
}

// Pull starts a pull for u with one of keys, or joins one of the same image with the same
// keys, and calls done once it ends. ctx ends it; Wait waits for all.
func (p *Puller) Pull(ctx context.Context, u Use, image string, policy v1.PullPolicy, keys []sandbox.Credential, done func(Outcome)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.states[u].Phase == Pulling {
		return
	}
	now := p.now()
	p.states[u] = State{Phase: Pulling, Since: now}
	key := fmt.Sprintf("%s %s %x", policy, image, sha256.Sum256(fmt.Appendf(nil, "%q", keys)))
	f := p.flight[key]
	if f == nil {
		f = &flight{since: now}
		p.flight[key] = f
		p.wg.Add(1)
		go p.fly(ctx, key, image, policy, keys)
	}
	f.uses, f.done = append(f.uses, u), append(f.done, done)
}

// Wait waits until no pull runs.
func (p *Puller) Wait() { p.wg.Wait() }

func (p *Puller) fly(ctx context.Context, key, image string, policy v1.PullPolicy, keys []sandbox.Credential) {
	defer p.wg.Done()
	here, err := p.fetch(ctx, image, policy, keys)
	p.mu.Lock()
	f := p.flight[key]
	delete(p.flight, key)
	now := p.now()
	for _, u := range f.uses {
		p.settle(u, image, err, now)
	}
	p.mu.Unlock()
	for i, u := range f.uses {
		f.done[i](Outcome{Use: u, Image: image, Took: now.Sub(f.since), Here: here, Err: err})
	}
}

func (p *Puller) fetch(ctx context.Context, image string, policy v1.PullPolicy, keys []sandbox.Credential) (here bool, err error) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if policy != v1.PullAlways {
		// It may have been loaded since a start missed it.
		here, err := p.store.ImageExists(ctx, image)
		if err != nil || here {
			return here, err
		}
	}
	if policy == v1.PullNever {
		return false, ErrNever
	}
	if len(keys) == 0 {
		return false, p.store.PullImage(ctx, image, sandbox.Credential{})
	}
	var errs []error
	for _, k := range keys {
		if err = p.store.PullImage(ctx, image, k); err == nil {
			return false, nil
		}
		errs = append(errs, err)
	}
	return false, errors.Join(errs...)
}

// settle notes how u's pull went. With p.mu held.
func (p *Puller) settle(u Use, image string, err error, now time.Time) {
	key := fmt.Sprintf("%s %s", u.Pod, image)
	if err == nil {
		delete(p.delays, key)
		p.states[u] = State{Phase: Present, Since: now}
		return
	}
	d := min(max(2*p.delays[key], firstDelay), maxDelay)
	p.delays[key] = d
	until := now.Add(d + rand.N(d/10))
	p.states[u] = State{Phase: Failed, Message: err.Error(), Since: now, Until: until}
}
