package space

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// inside is the name of a pod's own interface, as runtimes have it.
const inside = "eth0"

// metric and origin of the default route are those that Podman gives.
const metric = 100

// handle speaks netlink in the network namespace of f; nil is this process's own.
func handle(f *os.File) (*netlink.Handle, error) {
	var h *netlink.Handle
	var err error
	if f == nil {
		h, err = netlink.NewHandle(unix.NETLINK_ROUTE)
	} else {
		h, err = netlink.NewHandleAt(netns.NsHandle(f.Fd()), unix.NETLINK_ROUTE)
	}
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	return h, nil
}

// plug connects the namespace pinned in dir to the bridge, with address a. It may have been
// done before, in part.
func (kernel) plug(dir, link string, n Network, a netip.Addr) error {
	host, err := handle(n.Host)
	if err != nil {
		return err
	}
	defer host.Close()
	bridge, err := host.LinkByName(n.Bridge)
	if missing(err) {
		return fmt.Errorf("find bridge %s: %w", n.Bridge, ErrNoBridge)
	}
	if err != nil {
		return fmt.Errorf("find bridge %s: %w", n.Bridge, err)
	}
	if err := drop(host, link); err != nil {
		return err
	}
	ns, err := os.Open(filepath.Join(dir, networkPin))
	if err != nil {
		return fmt.Errorf("open network namespace: %w", err)
	}
	defer func() { _ = ns.Close() }()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.MasterIndex = link, bridge.Attrs().MTU, bridge.Attrs().Index
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: inside, PeerHardwareAddr: hardware(a), PeerNamespace: netlink.NsFd(int(ns.Fd()))}
	if err := host.LinkAdd(veth); err != nil {
		return fmt.Errorf("make link: %w", err)
	}
	if err := host.LinkSetUp(veth); err != nil {
		return fmt.Errorf("set up link: %w", err)
	}
	return address(ns, n, a)
}

// address gives the other end of a link its address and its route.
func address(ns *os.File, n Network, a netip.Addr) error {
	pod, err := handle(ns)
	if err != nil {
		return err
	}
	defer pod.Close()
	eth, err := pod.LinkByName(inside)
	if err != nil {
		return fmt.Errorf("find link in pod: %w", err)
	}
	mask := net.CIDRMask(n.Bits, 32)
	broadcast := net.IP(a.AsSlice())
	for i := range broadcast {
		broadcast[i] |= ^mask[i]
	}
	if err := pod.AddrAdd(eth, &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: mask}, Broadcast: broadcast}); err != nil {
		return fmt.Errorf("give pod its address: %w", err)
	}
	if err := pod.LinkSetUp(eth); err != nil {
		return fmt.Errorf("set up link in pod: %w", err)
	}
	route := &netlink.Route{LinkIndex: eth.Attrs().Index, Gw: n.Gateway.AsSlice(), Protocol: unix.RTPROT_STATIC, Priority: metric}
	if err := pod.RouteAdd(route); err != nil {
		return fmt.Errorf("give pod its route: %w", err)
	}
	return nil
}

// hardware is made of the address, so that neighbours who know who had it before are right.
func hardware(a netip.Addr) net.HardwareAddr {
	b := a.As4()
	return net.HardwareAddr{0x0a, 0x58, b[0], b[1], b[2], b[3]}
}

// unplug removes a link, and with it the pod's end.
func (kernel) unplug(link string, n Network) error {
	host, err := handle(n.Host)
	if err != nil {
		return err
	}
	defer host.Close()
	return drop(host, link)
}

func drop(h *netlink.Handle, link string) error {
	l, err := h.LinkByName(link)
	if err == nil {
		err = h.LinkDel(l)
	}
	if err == nil || missing(err) {
		return nil
	}
	return fmt.Errorf("remove link %s: %w", link, err)
}

// missing tells whether there is no such link, or none any more.
func missing(err error) bool {
	var none netlink.LinkNotFoundError
	return errors.As(err, &none) || errors.Is(err, unix.ENODEV)
}

// plugged lists the bridge's links that are sandboxes'.
func (kernel) plugged(n Network) ([]string, error) {
	host, err := handle(n.Host)
	if err != nil {
		return nil, err
	}
	defer host.Close()
	bridge, err := host.LinkByName(n.Bridge)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find bridge %s: %w", n.Bridge, err)
	}
	all, err := host.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	var out []string
	for _, l := range all {
		if a := l.Attrs(); a.MasterIndex == bridge.Attrs().Index && strings.HasPrefix(a.Name, linkPrefix) {
			out = append(out, a.Name)
		}
	}
	return out, nil
}
