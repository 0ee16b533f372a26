package network

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/skerry/skerry/services/agent/sandbox"
)

type host struct {
	subnet netip.Prefix
	used   bool
	made   int
}

func (h *host) NetworkSubnet(context.Context, string) (netip.Prefix, error) {
	if !h.subnet.IsValid() {
		return netip.Prefix{}, sandbox.ErrNotFound
	}
	return h.subnet, nil
}

func (h *host) CreateNetwork(_ context.Context, _, _ string, p netip.Prefix) error {
	h.subnet = p
	h.made++
	return nil
}

func (h *host) RemoveNetwork(context.Context, string) error {
	if h.used {
		return errors.New("network is being used")
	}
	h.subnet = netip.Prefix{}
	return nil
}

func TestEnsure(t *testing.T) {
	a, b := netip.MustParsePrefix("10.244.1.0/24"), netip.MustParsePrefix("10.244.2.0/24")
	for _, tc := range []struct {
		name  string
		host  host
		want  netip.Prefix
		made  int
		fails bool
	}{
		{"none", host{}, a, 1, false},
		{"there", host{subnet: a, used: true}, a, 0, false},
		{"another, free", host{subnet: b}, a, 1, false},
		{"another, in use", host{subnet: b, used: true}, b, 0, true},
	} {
		n := New(&tc.host, slog.New(slog.DiscardHandler))
		if _, ready := n.Ready(); ready {
			t.Errorf("%s: ready before", tc.name)
		}
		err := n.Ensure(t.Context(), "10.244.1.7/24")
		if _, ready := n.Ready(); !ready || tc.host.subnet != tc.want || tc.host.made != tc.made || (err != nil) != tc.fails {
			t.Errorf("%s: %v, ready %v, %+v", tc.name, err, ready, tc.host)
		}
	}
	if err := New(&host{}, slog.New(slog.DiscardHandler)).Ensure(t.Context(), "nonsense"); err == nil {
		t.Error("nonsense is a CIDR")
	}
	for _, h := range []*host{{}, {subnet: a}} {
		n := New(h, slog.New(slog.DiscardHandler))
		if err := n.Adopt(t.Context()); err != nil {
			t.Error(err)
		}
		if _, ready := n.Ready(); ready != h.subnet.IsValid() {
			t.Errorf("adopted %v: ready %v", h.subnet, ready)
		}
	}
}
