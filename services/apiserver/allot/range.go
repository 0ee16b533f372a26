package allot

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
)

// Ranges are what services get their addresses and ports from.
type Ranges struct {
	// Addresses is an IPv4 range; its first and last address are nobody's.
	Addresses netip.Prefix
	// FirstPort to LastPort are the node ports.
	FirstPort, LastPort int32
}

// Kubernetes' usual ranges.
const (
	DefaultAddresses = "10.96.0.0/16"
	DefaultPorts     = "30000-32767"
)

// Parse reads ranges as flags give them: 10.96.0.0/16 and 30000-32767, which "" stand for.
func Parse(addresses, ports string) (Ranges, error) {
	if addresses == "" {
		addresses = DefaultAddresses
	}
	if ports == "" {
		ports = DefaultPorts
	}
	p, err := netip.ParsePrefix(addresses)
	if err != nil {
		return Ranges{}, fmt.Errorf("parse range of cluster IPs: %w", err)
	}
	if p = p.Masked(); !p.Addr().Is4() || p.Bits() < 8 || p.Bits() > 30 {
		return Ranges{}, fmt.Errorf("parse range of cluster IPs %s: not an IPv4 range between a /8 and a /30", addresses)
	}
	from, to, ok := strings.Cut(ports, "-")
	first, err1 := strconv.ParseInt(from, 10, 32)
	last, err2 := strconv.ParseInt(to, 10, 32)
	if !ok || err1 != nil || err2 != nil || first < 1 || first > last || last > 65535 {
		return Ranges{}, fmt.Errorf("parse range of node ports %s: not FIRST-LAST, such as %s", ports, DefaultPorts)
	}
	return Ranges{Addresses: p, FirstPort: int32(first), LastPort: int32(last)}, nil
}

// First is the range's first address that a service can have: that of the API itself.
func (r Ranges) First() netip.Addr { return r.Addresses.Addr().Next() }

// addresses is how many there are to give.
func (r Ranges) addresses() int { return 1<<(32-r.Addresses.Bits()) - 2 }

// address is the i-th one, from 0.
func (r Ranges) address(i int) netip.Addr {
	b := r.Addresses.Addr().As4()
	n := binary.BigEndian.Uint32(b[:]) + uint32(i) + 1
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

// usable tells whether a service may ask for a.
func (r Ranges) usable(a netip.Addr) bool {
	return r.Addresses.Contains(a) && a != r.Addresses.Addr() && a != r.address(r.addresses())
}

// spare is how many of the first of n are left to those who ask for one by name, until
// the others are used up: an n-th of a step, but at least 16 and at most most.
func spare(n, step, most int) int {
	if n <= 16 {
		return 0
	}
	return min(max(n/step, 16), most)
}

// pick returns a number of 0 to n-1 that is not taken, at random: first of those beyond
// the spared ones. From a random one on, all are tried.
func pick(n, spared int, taken func(i int) bool) (int, bool) {
	for _, band := range [][2]int{{spared, n}, {0, spared}} {
		size := band[1] - band[0]
		if size <= 0 {
			continue
		}
		start := rand.IntN(size)
		for i := range size {
			if at := band[0] + (start+i)%size; !taken(at) {
				return at, true
			}
		}
	}
	return 0, false
}
