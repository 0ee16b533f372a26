package pod

import (
	"slices"
	"testing"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// TestChangedUnnoticed: a look at everything queues those pods that look otherwise than when
// last looked at, and no others.
func TestChangedUnnoticed(t *testing.T) {
	one := func(edit func(p *sandbox.Pod)) []sandbox.Pod {
		p := sandbox.Pod{ID: "p", Infra: sandbox.Container{State: sandbox.Running}, Containers: []sandbox.Container{{ID: "a", State: sandbox.Running}, {ID: "b", State: sandbox.Exited}}}
		edit(&p)
		return []sandbox.Pod{p}
	}
	as := one(func(*sandbox.Pod) {})
	k := sandbox.Key{Namespace: "ns", Name: "p"}
	for name, tt := range map[string]struct {
		now      []sandbox.Pod
		unlisted bool
		want     bool
	}{
		"as it was":           {now: one(func(*sandbox.Pod) {})},
		"a container ended":   {now: one(func(p *sandbox.Pod) { p.Containers[0].State = sandbox.Exited }), want: true},
		"a container is gone": {now: one(func(p *sandbox.Pod) { p.Containers = p.Containers[:1] }), want: true},
		"another container":   {now: one(func(p *sandbox.Pod) { p.Containers[1].ID = "c" }), want: true},
		"the sandbox ended":   {now: one(func(p *sandbox.Pod) { p.Infra.State = sandbox.Exited }), want: true},
		"another sandbox":     {now: one(func(p *sandbox.Pod) { p.ID = "q" }), want: true},
		"two sandboxes":       {now: append(one(func(*sandbox.Pod) {}), as...), want: true},
		"nothing is left":     {want: true},
		"never looked at":     {now: as, unlisted: true, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			e := &entry{seen: as, listed: !tt.unlisted, fresh: true}
			r := &Reconciler{pods: map[sandbox.Key]*entry{k: e}}
			seen := map[sandbox.Key][]sandbox.Pod{}
			if tt.now != nil {
				seen[k] = tt.now
			}
			if got := r.changed(seen); slices.Contains(got, k) != tt.want || e.fresh == tt.want {
				t.Errorf("queued %v, fresh %v", got, e.fresh)
			}
		})
	}
}
