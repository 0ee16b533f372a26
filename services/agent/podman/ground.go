package podman

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"

	nettypes "github.com/containers/common/libnetwork/types"
	"github.com/containers/podman/v4/pkg/bindings/containers"
	"github.com/containers/podman/v4/pkg/bindings/network"
	"github.com/containers/podman/v4/pkg/bindings/pods"
	"github.com/containers/podman/v4/pkg/bindings/system"
	"github.com/containers/podman/v4/pkg/domain/entities"
	"github.com/containers/podman/v4/pkg/specgen"

	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/space"
)

// ground is what bare sandboxes stand on: Podman's networks, by name, whose bridge and
// firewall Podman keeps up for a pod that does nothing else.
type ground struct {
	mu   sync.Mutex
	nets map[string]*space.Network

	// holding is held while the pod is looked for or made that keeps a network up: who finds
	// half of one takes it away.
	holding sync.Mutex

	hostMu sync.Mutex
	host   *os.File // Podman's network namespace; nil until it is known
}

// hostOf is the network namespace of the Podman at socket.
func (g *ground) hostOf(socket string) (*os.File, error) {
	g.hostMu.Lock()
	defer g.hostMu.Unlock()
	if g.host != nil {
		return g.host, nil
	}
	host, err := hostNetwork(socket)
	if err != nil {
		return nil, err
	}
	g.host = host
	return host, nil
}

// labelHolder marks the pod that keeps a network up; its value is the network's name.
const labelHolder = "io.skerry.network"

// holder is that pod's name.
func holder(network string) string { return network + "-network" }

// smallest is the least number of addresses that are worth dividing.
const smallest = 64

// lease are the addresses that Podman gives out by itself: the lower half. The upper one
// is for bare sandboxes, of which it does not know. A small network is Podman's alone.
func lease(subnet netip.Prefix) *nettypes.LeaseRange {
	if !subnet.Addr().Is4() || 1<<(32-subnet.Bits()) < smallest {
		return nil
	}
	half := upper(subnet)
	return &nettypes.LeaseRange{StartIP: net.IP(subnet.Addr().Next().Next().AsSlice()), EndIP: net.IP(half.Addr().Prev().AsSlice())}
}

// upper is the upper half of a network.
func upper(subnet netip.Prefix) netip.Prefix {
	b := subnet.Masked().Addr().As4()
	b[subnet.Bits()/8] |= 0x80 >> (subnet.Bits() % 8)
	return netip.PrefixFrom(netip.AddrFrom4(b), subnet.Bits()+1)
}

func (g *ground) forget(network string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.nets, network)
}

// groundFor is the network that bare sandboxes can be on, nil if they cannot. It is found out
// once, and told once.
func (d *Driver) groundFor(ctx context.Context, name string) (*space.Network, error) {
	if d.Spaces == nil {
		return nil, nil
	}
	g := &d.ground
	g.mu.Lock()
	defer g.mu.Unlock()
	if n, known := g.nets[name]; known {
		return n, nil
	}
	n, err := d.survey(ctx, name)
	var no unfit
	switch {
	case errors.As(err, &no):
		d.log.Info("every pod gets an infra container", "network", name, "why", no)
	case err != nil:
		return nil, err
	default:
		if err := d.hold(ctx, name); err != nil {
			return nil, err
		}
		if err := d.Spaces.Sweep(*n); err != nil {
			d.log.Warn("something of former pods is left", "network", name, "error", err)
		}
	}
	if g.nets == nil {
		g.nets = map[string]*space.Network{}
	}
	g.nets[name] = n
	return n, nil
}

// unfit is why there can be no bare sandboxes.
type unfit string

func (u unfit) Error() string { return string(u) }

// survey finds out what a network is like.
func (d *Driver) survey(ctx context.Context, name string) (*space.Network, error) {
	i, err := system.Info(ctx, nil)
	if err != nil {
		return nil, d.fail("ask podman for its info", err)
	}
	switch {
	case i.Host == nil || i.Host.Security.Rootless:
		return nil, unfit("Podman is not root's")
	case i.Host.NetworkBackend != "netavark":
		return nil, unfit("Podman's network backend is " + i.Host.NetworkBackend + ", not netavark")
	}
	host, err := d.ground.hostOf(d.socket)
	if err != nil {
		return nil, err
	}
	n, err := network.Inspect(ctx, name, nil)
	if err != nil {
		return nil, d.fail("inspect network "+name, err)
	}
	if n.Driver != "bridge" || len(n.Subnets) != 1 || n.NetworkInterface == "" {
		return nil, unfit("it is not a bridge over one range of addresses")
	}
	s := n.Subnets[0]
	subnet, err := netip.ParsePrefix(s.Subnet.String())
	gateway, ok := netip.AddrFromSlice(s.Gateway)
	if err != nil || !ok || !subnet.Addr().Is4() {
		return nil, unfit("it has no IPv4 addresses")
	}
	if s.LeaseRange == nil {
		return nil, unfit("Podman gives out all of its addresses: `podman network rm " + name + "` while no pod uses it, and start the agent again, to have half of them")
	}
	end, ok := netip.AddrFromSlice(s.LeaseRange.EndIP)
	half := upper(subnet)
	if !ok || !end.Unmap().Less(half.Addr()) {
		return nil, unfit("Podman gives out addresses of its upper half")
	}
	return &space.Network{
		Name: name, Host: host, Bridge: n.NetworkInterface, Gateway: gateway.Unmap(), Bits: subnet.Bits(),
		First: half.Addr(), Last: last(half).Prev(),
	}, nil
}

// last is a range's last address.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}

// hold has the pod run that keeps a network's bridge and firewall up.
func (d *Driver) hold(ctx context.Context, name string) error {
	d.ground.holding.Lock()
	defer d.ground.holding.Unlock()
	infra := holder(name) + "-infra"
	i, err := d.inspect(ctx, infra)
	if err != nil {
		return err
	}
	if i != nil && i.State != nil && state(i.State.Status) == sandbox.Running {
		return nil
	}
	if i == nil {
		if err := d.makeHolder(ctx, name); err != nil {
			return err
		}
	}
	if err := containers.Start(ctx, infra, nil); err != nil {
		return d.fail("start pod "+holder(name), err)
	}
	d.pin(name)
	return nil
}

func (d *Driver) makeHolder(ctx context.Context, name string) error {
	g := specgen.PodSpecGenerator{}
	g.Name, g.InfraName = holder(name), holder(name)+"-infra"
	g.Labels = map[string]string{labelHolder: name}
	g.RestartPolicy, g.ExitPolicy = "no", "continue"
	g.NetNS = specgen.Namespace{NSMode: specgen.Bridge}
	g.Networks = map[string]nettypes.PerNetworkOptions{name: {}}
	_, err := pods.CreatePodFromSpec(ctx, &entities.PodSpec{PodSpecGen: g})
	if err = d.known("create pod "+g.Name, err); errors.Is(err, sandbox.ErrExists) {
		// Half of one is in the way.
		if err = d.dropHolder(ctx, name); err == nil {
			_, err = pods.CreatePodFromSpec(ctx, &entities.PodSpec{PodSpecGen: g})
			err = d.known("create pod "+g.Name, err)
		}
	}
	return err
}

// known is fail, and nil for nil.
func (d *Driver) known(what string, err error) error {
	if err == nil {
		return nil
	}
	return d.fail(what, err)
}

func (d *Driver) dropHolder(ctx context.Context, name string) error {
	_, err := pods.Remove(ctx, holder(name), new(pods.RemoveOptions).WithForce(true).WithTimeout(0))
	if err = d.known("remove pod "+holder(name), err); errors.Is(err, sandbox.ErrNotFound) {
		return nil
	}
	return err
}

// clearNetwork makes way for a network's removal: nothing is on it but what holds it.
func (d *Driver) clearNetwork(ctx context.Context, name string) error {
	all, err := d.Spaces.All()
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.Network == name && r.Address.IsValid() && r.State != sandbox.Exited {
			return fmt.Errorf("remove network %s: sandbox %s uses it", name, r.Name)
		}
	}
	d.ground.forget(name)
	d.ground.holding.Lock()
	defer d.ground.holding.Unlock()
	return d.dropHolder(ctx, name)
}
