package podman

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	nettypes "github.com/containers/common/libnetwork/types"
	"github.com/containers/podman/v4/pkg/bindings/network"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// NetworkSubnet returns the named network's subnet, or sandbox.ErrNotFound.
func (d *Driver) NetworkSubnet(ctx context.Context, name string) (netip.Prefix, error) {
	ctx, cancel, err := d.call(ctx, quick)
	if err != nil {
		return netip.Prefix{}, err
	}
	defer cancel()
	n, err := network.Inspect(ctx, name, nil)
	if err != nil {
		return netip.Prefix{}, d.fail("inspect network "+name, err)
	}
	d.bridges.note(name, n.NetworkInterface)
	d.pin(name)
	if len(n.Subnets) == 0 {
		return netip.Prefix{}, nil
	}
	p, err := netip.ParsePrefix(n.Subnets[0].Subnet.String())
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("read subnet of network %s: %w", name, err)
	}
	return p.Masked(), nil
}

// CreateNetwork makes a bridge network over subnet, its gateway the first address.
func (d *Driver) CreateNetwork(ctx context.Context, name, bridge string, subnet netip.Prefix) error {
	ctx, cancel, err := d.call(ctx, quick)
	if err != nil {
		return err
	}
	defer cancel()
	subnet = subnet.Masked()
	_, ipnet, err := net.ParseCIDR(subnet.String())
	if err != nil {
		return fmt.Errorf("create network %s: %w", name, err)
	}
	n := &nettypes.Network{
		Name: name, Driver: "bridge", NetworkInterface: bridge,
		Subnets: []nettypes.Subnet{{
			Subnet:     nettypes.IPNet{IPNet: *ipnet},
			Gateway:    net.IP(subnet.Addr().Next().AsSlice()),
			LeaseRange: lease(subnet),
		}},
		IPv6Enabled: subnet.Addr().Is6(),
	}
	if _, err := network.Create(ctx, n); err != nil {
		return d.fail("create network "+name, err)
	}
	d.bridges.note(name, bridge)
	d.ground.forget(name)
	return nil
}

// pin keeps the address of the network's bridge. Pods run without it as well.
func (d *Driver) pin(network string) {
	if err := d.bridges.pin(network); err != nil {
		d.log.Warn("pods may lose sight of their gateway when another pod goes", "error", err)
	}
}

// RemoveNetwork removes a network that no container uses.
func (d *Driver) RemoveNetwork(ctx context.Context, name string) error {
	ctx, cancel, err := d.call(ctx, quick)
	if err != nil {
		return err
	}
	defer cancel()
	if err := d.clearNetwork(ctx, name); err != nil {
		return err
	}
	reports, err := network.Remove(ctx, name, nil)
	if err != nil {
		if err = d.fail("remove network "+name, err); errors.Is(err, sandbox.ErrNotFound) {
			return nil
		}
		return err
	}
	for _, r := range reports {
		if r.Err != nil {
			return fmt.Errorf("remove network %s: %w", name, r.Err)
		}
	}
	return nil
}
