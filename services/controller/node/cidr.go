package node

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
)

// errNoCIDR: every range of the cluster's is some node's.
var errNoCIDR = errors.New("no free pod CIDR is left")

// nodeBits is the prefix length of one node's range: 254 addresses for its pods.
const nodeBits = 24

// pool hands out the ranges of the cluster's CIDR in turn, so that a range that was
// given back rests as long as possible: its last node may still be running pods. Safe for
// concurrent use.
type pool struct {
	cluster netip.Prefix

	mu   sync.Mutex
	next int
	of   map[schemas.NodeName][]netip.Prefix
	used map[netip.Prefix]int // of nodeBits
	odd  map[netip.Prefix]int // of other lengths, which somebody chose
}

func newPool(cidr string) (*pool, error) {
	p, err := netip.ParsePrefix(cidr)
	if err != nil {
		return nil, fmt.Errorf("parse cluster CIDR: %w", err)
	}
	if !p.Addr().Is4() || p.Bits() > nodeBits {
		return nil, fmt.Errorf("parse cluster CIDR %s: not an IPv4 range of at least a /%d", cidr, nodeBits)
	}
	return &pool{cluster: p.Masked(), of: map[schemas.NodeName][]netip.Prefix{}, used: map[netip.Prefix]int{}, odd: map[netip.Prefix]int{}}, nil
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

// see takes in what a node has. One that has nothing yet keeps what it was given.
func (p *pool) see(n *corev1.Node) {
	var has []netip.Prefix
	for _, s := range append([]string{n.Spec.PodCIDR}, n.Spec.PodCIDRs...) {
		if c, err := netip.ParsePrefix(s); err == nil {
			has = append(has, c.Masked())
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(has) > 0 {
		p.set(schemas.NodeName(n.Name), has)
	}
}

// drop gives back what a node had that is no more.
func (p *pool) drop(n schemas.NodeName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set(n, nil)
}

func (p *pool) set(n schemas.NodeName, has []netip.Prefix) {
	for _, c := range has {
		p.counts(c)[c]++
	}
	for _, c := range p.of[n] {
		if m := p.counts(c); m[c] > 1 {
			m[c]--
		} else {
			delete(m, c)
		}
	}
	if p.of[n] = has; len(has) == 0 {
		delete(p.of, n)
	}
}

func (p *pool) counts(c netip.Prefix) map[netip.Prefix]int {
	if c.Bits() == nodeBits {
		return p.used
	}
	return p.odd
}

// give returns a range that overlaps no node's, and counts on from it. It is n's from
// then on: the same comes again if n could not be told.
func (p *pool) give(n schemas.NodeName) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if has := p.of[n]; len(has) > 0 {
		return has[0].String(), nil
	}
	for range p.size() {
		c := p.at(p.next % p.size())
		p.next++
		if p.used[c] == 0 && !p.overlapsOdd(c) {
			p.set(n, []netip.Prefix{c})
			return c.String(), nil
		}
	}
	return "", errNoCIDR
}

func (p *pool) overlapsOdd(c netip.Prefix) bool {
	for o := range p.odd {
		if c.Overlaps(o) {
			return true
		}
	}
	return false
}
