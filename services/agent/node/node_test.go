package node

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/sandbox"
)

func TestConditions(t *testing.T) {
	t0 := time.Unix(1e9, 0)
	for _, tc := range []struct {
		name    string
		err     error
		network bool
		short   v1.NodeConditionType
		want    string
	}{
		{"good", nil, true, "", "FalseFalseFalseTrue"},
		{"runtime down", errors.New("connection refused"), true, "", "FalseFalseFalseFalse"},
		{"no network", nil, false, "", "FalseFalseFalseFalse"},
		{"disk full", nil, true, v1.NodeDiskPressure, "FalseTrueFalseTrue"},
		{"memory short", nil, true, v1.NodeMemoryPressure, "TrueFalseFalseTrue"},
		{"processes short", nil, true, v1.NodePIDPressure, "FalseFalseTrueTrue"},
	} {
		got, before := "", conditions(nil, nil, true, nil, t0)
		now := conditions(before, tc.err, tc.network, map[v1.NodeConditionType]bool{tc.short: true}, t0.Add(time.Minute))
		for i, c := range now {
			got += string(c.Status)
			same := c.Status == before[i].Status
			if same != c.LastTransitionTime.Time.Equal(t0) || c.Reason == "" || c.Message == "" {
				t.Errorf("%s: %+v", tc.name, c)
			}
		}
		if got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// host is a node's surroundings.
type host struct {
	fail   error // of the runtime
	posted []v1.ConditionStatus
}

func (h *host) Ping(context.Context) error                       { return h.fail }
func (h *host) Describe(context.Context) (string, string, error) { return "1", "/", nil }
func (h *host) Images(context.Context) ([]sandbox.Image, error)  { return nil, nil }
func (h *host) Event(schemas.Object, string, string, string)     {}
func (h *host) Post(_ bus.Key, value any) error {
	h.posted = append(h.posted, ready(value.(*v1.Node).Status))
	return nil
}

// TestFirstStatus: it waits for the pod CIDR, for a while, unless something else is wrong.
func TestFirstStatus(t *testing.T) {
	bare, given := &v1.Node{}, &v1.Node{Spec: v1.NodeSpec{PodCIDR: "10.0.0.0/24"}}
	for name, tc := range map[string]struct {
		fail error
		then *v1.Node      // what is heard next, nil: nothing
		wait time.Duration // before that
		want string        // readiness as posted at first, and then
	}{
		"given soon":   {nil, given, time.Second, ":True"},
		"given late":   {nil, given, firstPost, ":True"},
		"not given":    {nil, nil, firstPost, ":False"},
		"not yet":      {nil, nil, firstPost - 1, ":"},
		"runtime down": {errors.New("down"), nil, 0, "False:"},
	} {
		h, now, network := &host{fail: tc.fail}, time.Unix(1e9, 0), false
		n := New(Config{
			Name: "n1", Runtime: h, Poster: h, Recorder: h, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
			CIDR:    func(context.Context, string) error { network = true; return nil },
			Network: func() bool { return network }, Pressure: func() map[v1.NodeConditionType]bool { return nil },
		})
		look := func(obj *v1.Node) (out string) {
			if obj != nil {
				if err := n.learn(t.Context(), obj); err != nil {
					t.Fatal(err)
				}
			}
			h.posted = nil
			n.check(t.Context())
			for _, p := range h.posted {
				out += string(p)
			}
			return out
		}
		got := look(bare) + ":"
		now = now.Add(tc.wait)
		if got += look(tc.then); got != tc.want {
			t.Errorf("%s: posted %q, want %q", name, got, tc.want)
		}
	}
}

func TestAllocatable(t *testing.T) {
	q := resource.MustParse
	got := allocatable(
		v1.ResourceList{v1.ResourceCPU: q("4"), v1.ResourceMemory: q("1Gi"), v1.ResourcePods: q("110")},
		v1.ResourceList{v1.ResourceCPU: q("500m"), v1.ResourceMemory: q("2Gi"), "other": q("1")},
	)
	if got.Cpu().String() != "3500m" || !got.Memory().IsZero() || got.Pods().Value() != 110 || len(got) != 3 {
		t.Errorf("%v", got)
	}
}

func TestAddresses(t *testing.T) {
	if got := addresses("192.0.2.9"); len(got) != 1 || got[0] != "192.0.2.9" {
		t.Errorf("configured: %v", got)
	}
	if got := addresses(""); len(got) == 0 {
		t.Error("no address at all")
	}
}

// A node is not kept out of the cluster by a label that it may not give itself.
func TestLabels(t *testing.T) {
	n := New(Config{Name: "n1", Log: slog.New(slog.DiscardHandler), Labels: map[string]string{"disk": "ssd", "node-role.kubernetes.io/worker": ""}})
	got := n.labels()
	delete(got, v1.LabelOSStable)
	delete(got, v1.LabelArchStable)
	if want := map[string]string{"disk": "ssd", v1.LabelHostname: "n1"}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
