package node

import (
	"errors"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
)

// errNoCIDR: every range of the cluster's is some node's.
var errNoCIDR = errors.New("no free pod CIDR is left")

// nodeBits is the prefix length of one node's range: 254 addresses for its pods.
const nodeBits = 24

// pool hands out the ranges of the cluster's CIDR in turn, so that a range that was
// given back rests as long as possible: its last node may still be running pods.
type pool struct {
	cluster netip.Prefix
	next    int
}

func newPool(cidr string) (*pool, error) {
	p, err := netip.ParsePrefix(cidr)
	if err != nil {
		return nil, fmt.Errorf("parse cluster CIDR: %w", err)
	}
	if !p.Addr().Is4() || p.Bits() > nodeBits {
		return nil, fmt.Errorf("parse cluster CIDR %s: not an IPv4 range of at least a /%d", cidr, nodeBits)
	}
	return &pool{cluster: p.Masked()}, nil
}

// size is how many nodes' ranges there are.
func (p *pool) size() int { return 1 << (nodeBits - p.cluster.Bits()) }

// at is the i-th node's range.
func (p *pool) at(i int) netip.Prefix {
	a := p.cluster.Addr().As4()
	n := uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
	n += uint32(i) << (32 - nodeBits)
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), nodeBits)
}

// free returns a range that overlaps none of the nodes', and counts on from it.
func (p *pool) free(nodes []*corev1.Node) (string, error) {
	var used []netip.Prefix
	for _, n := range nodes {
		for _, s := range append([]string{n.Spec.PodCIDR}, n.Spec.PodCIDRs...) {
			if u, err := netip.ParsePrefix(s); err == nil {
				used = append(used, u)
			}
		}
	}
	for range p.size() {
		c := p.at(p.next % p.size())
		p.next++
		if !overlaps(c, used) {
			return c.String(), nil
		}
	}
	return "", errNoCIDR
}

func overlaps(c netip.Prefix, used []netip.Prefix) bool {
	for _, u := range used {
		if c.Overlaps(u) {
			return true
		}
	}
	return false
}
