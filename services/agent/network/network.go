// Package network gives the node's pods their network: a bridge over the pod CIDR
// that the control plane gave the node.
//
// It reads the node's CIDR as it is told, and the runtime's networks; it writes one
// network of the runtime. What always holds: a network that pods use is not
// changed under them. Routes to other hosts will start from here.
package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// The network's name in the runtime, and its bridge on the host.
const (
	Name   = "skerry"
	Bridge = "skerry0"
)

// Runtime makes networks.
type Runtime interface {
	// NetworkSubnet returns sandbox.ErrNotFound if there is no such network.
	NetworkSubnet(ctx context.Context, name string) (netip.Prefix, error)
	CreateNetwork(ctx context.Context, name, bridge string, subnet netip.Prefix) error
	// RemoveNetwork fails if pods use it.
	RemoveNetwork(ctx context.Context, name string) error
}

// Network is the node's pod network. Safe for concurrent use.
type Network struct {
	runtime Runtime
	log     *slog.Logger

	mu    sync.Mutex
	ready bool
}

// New returns the network; nothing is made before Ensure.
func New(r Runtime, log *slog.Logger) *Network { return &Network{runtime: r, log: log} }

// Ready returns the network's name and whether pods can be attached to it.
func (n *Network) Ready() (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return Name, n.ready
}

// Adopt uses the network as it is, if there is one: what an agent can do before
// it hears from the control plane.
func (n *Network) Adopt(ctx context.Context) error {
	_, err := n.runtime.NetworkSubnet(ctx, Name)
	if errors.Is(err, sandbox.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for pod network: %w", err)
	}
	n.setReady()
	return nil
}

// Ensure makes the network over cidr. One with another subnet is made anew if no
// pod uses it, and otherwise kept, with a warning.
func (n *Network) Ensure(ctx context.Context, cidr string) error {
	want, err := netip.ParsePrefix(cidr)
	if err != nil {
		return fmt.Errorf("read pod CIDR: %w", err)
	}
	want = want.Masked()
	have, err := n.runtime.NetworkSubnet(ctx, Name)
	switch {
	case err == nil && have == want:
		n.setReady()
		return nil
	case err == nil:
		if err := n.runtime.RemoveNetwork(ctx, Name); err != nil {
			n.log.Warn("pod CIDR changed while pods use the old one; it is kept until they are gone",
				"old", have, "new", want, "error", err)
			n.setReady()
			return fmt.Errorf("change pod network: %w", err)
		}
	case !errors.Is(err, sandbox.ErrNotFound):
		return fmt.Errorf("look for pod network: %w", err)
	}
	if err := n.runtime.CreateNetwork(ctx, Name, Bridge, want); err != nil && !errors.Is(err, sandbox.ErrExists) {
		return fmt.Errorf("make pod network: %w", err)
	}
	n.log.Info("made pod network", "name", Name, "subnet", want)
	n.setReady()
	return nil
}

func (n *Network) setReady() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ready = true
}
