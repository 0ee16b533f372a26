package fake

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/skerry/skerry/services/agent/sandbox"
)

func (r *Runtime) has(image string) bool { return r.Image == nil || r.Image(image) }

// ImageExists implements image.Store.
func (r *Runtime) ImageExists(ctx context.Context, image string) (bool, error) {
	if err := r.enter(ctx); err != nil {
		return false, err
	}
	defer r.mu.Unlock()
	return r.has(image), nil
}

// PullImage implements image.Store: there is no registry to find more images in.
func (r *Runtime) PullImage(ctx context.Context, image string, _ sandbox.Credential) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	defer r.mu.Unlock()
	if !r.has(image) {
		return fmt.Errorf("pull %s: no registry has it", image)
	}
	return nil
}

// Images implements node.Runtime: what exists is not enumerable.
func (r *Runtime) Images(ctx context.Context) ([]sandbox.Image, error) { return nil, r.Ping(ctx) }

// RemoveImage implements agent.Runtime.
func (r *Runtime) RemoveImage(ctx context.Context, _ string) error { return r.Ping(ctx) }

// NetworkSubnet implements network.Runtime.
func (r *Runtime) NetworkSubnet(ctx context.Context, name string) (netip.Prefix, error) {
	if err := r.enter(ctx); err != nil {
		return netip.Prefix{}, err
	}
	defer r.mu.Unlock()
	p, ok := r.networks[name]
	if !ok {
		return p, fmt.Errorf("look at network %s: %w", name, sandbox.ErrNotFound)
	}
	return p, nil
}

// CreateNetwork implements network.Runtime.
func (r *Runtime) CreateNetwork(ctx context.Context, name, _ string, subnet netip.Prefix) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	defer r.mu.Unlock()
	if _, ok := r.networks[name]; ok {
		return fmt.Errorf("create network %s: %w", name, sandbox.ErrExists)
	}
	r.networks[name] = subnet
	return nil
}

// RemoveNetwork implements network.Runtime.
func (r *Runtime) RemoveNetwork(ctx context.Context, name string) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	defer r.mu.Unlock()
	for _, p := range r.pods {
		if p.network == name && !p.hostNetwork {
			return fmt.Errorf("remove network %s: it is in use", name)
		}
	}
	delete(r.networks, name)
	return nil
}

var errFull = errors.New("no free address")

// address takes the next free one of a network: not the first two, which are the
// network's own and the bridge's, nor the last. It needs r.mu.
func (r *Runtime) address(name string) (netip.Addr, error) {
	subnet, ok := r.networks[name]
	if !ok {
		return netip.Addr{}, fmt.Errorf("network %s: %w", name, sandbox.ErrNotFound)
	}
	first := subnet.Masked().Addr().Next().Next()
	if !subnet.Contains(r.last) || !r.last.IsValid() {
		r.last = subnet.Masked().Addr().Next()
	}
	for a, turned := r.last.Next(), false; ; a = a.Next() {
		if !subnet.Contains(a) || !subnet.Contains(a.Next()) {
			if turned {
				return netip.Addr{}, fmt.Errorf("network %s: %w", name, errFull)
			}
			a, turned = first.Prev(), true
			continue
		}
		if !r.used[a] {
			r.used[a], r.last = true, a
			return a, nil
		}
	}
}

// Handler implements agent.Runtime.
func (r *Runtime) Handler(ctx context.Context) (string, error) { return "fake", r.Ping(ctx) }

// ImageUser says that every image's user is root.
func (r *Runtime) ImageUser(ctx context.Context, image string) (sandbox.ImageUser, error) {
	if !r.has(image) {
		return sandbox.ImageUser{}, sandbox.ErrImageUnknown
	}
	return sandbox.ImageUser{ID: image}, r.Ping(ctx)
}

// Accounts says that images have none.
func (r *Runtime) Accounts(ctx context.Context, _ string) (sandbox.Accounts, error) {
	return sandbox.Accounts{}, r.Ping(ctx)
}
