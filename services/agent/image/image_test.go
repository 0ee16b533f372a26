package image

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/sandbox"
)

type registry struct {
	mu    sync.Mutex
	here  bool
	err   error
	pulls int
	gate  chan struct{}
}

func (r *registry) ImageExists(context.Context, string) (bool, error) { return r.here, nil }
func (r *registry) PullImage(ctx context.Context, _ string, c sandbox.Credential) error {
	if c.Username == "wrong" {
		return errors.New("unauthorized")
	}
	r.mu.Lock()
	r.pulls++
	r.mu.Unlock()
	select {
	case <-r.gate:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestPullerSharesAndBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &registry{err: errors.New("no route to registry"), gate: make(chan struct{})}
		p := NewPuller(r, time.Now)
		a, b := Use{Pod: "a", Container: "c"}, Use{Pod: "b", Container: "c"}
		done := make(chan Outcome, 2)
		for _, u := range []Use{a, b, a} {
			p.Pull(t.Context(), u, "i", v1.PullIfNotPresent, nil, func(o Outcome) { done <- o })
		}
		synctest.Wait()
		if p.State(a).Phase != Pulling || r.pulls != 1 {
			t.Errorf("state %v after %d pulls", p.State(a), r.pulls)
		}
		close(r.gate)
		for range 2 {
			if o := <-done; o.Err == nil || o.Here {
				t.Errorf("outcome %+v", o)
			}
		}
		var delays []time.Duration
		for range 7 {
			s := p.State(a)
			delays = append(delays, s.Until.Sub(s.Since).Round(time.Minute))
			p.Pull(t.Context(), a, "i", v1.PullIfNotPresent, nil, func(o Outcome) { done <- o })
			<-done
		}
		if last := delays[len(delays)-1]; last < maxDelay || last > maxDelay+maxDelay/10+time.Minute {
			t.Errorf("delays %v", delays)
		}
		r.here = true
		p.Pull(t.Context(), a, "i", v1.PullIfNotPresent, nil, func(o Outcome) { done <- o })
		if o := <-done; o.Err != nil || !o.Here || p.State(a).Phase != Present {
			t.Errorf("outcome %+v", o)
		}
		p.Forget("b")
		if p.State(b) != (State{}) || p.State(a).Phase != Present {
			t.Error("Forget forgot the wrong pod")
		}
		p.Started(a)
		p.Wait()
		if p.State(a) != (State{}) {
			t.Error("Started kept the state")
		}
	})
}

func TestExcess(t *testing.T) {
	now := time.Unix(1e9, 0)
	images := []sandbox.Image{
		{ID: "new", Size: 30, Created: now}, {ID: "old", Size: 30}, {ID: "used", Size: 30}, {ID: "named", Names: []string{"n:1"}, Size: 30},
		{ID: "shared", Size: 30, ReadOnly: true}, {ID: "young", Size: 30}, {ID: "built", Names: []string{"localhost/b:1"}, Size: 30},
	}
	last := map[string]time.Time{"young": now.Add(-time.Minute)}
	for _, i := range images[:5] {
		last[i.ID] = now.Add(-time.Hour)
	}
	last["old"] = now.Add(-2 * time.Hour)
	used := map[string]bool{"used": true, "n:1": true}
	for _, tc := range []struct {
		free uint64
		want string
	}{{1000, "[]"}, {151, "[]"}, {150, "[old new]"}, {180, "[]"}, {0, "[old new]"}} {
		var ids []string
		for _, i := range Excess(images, used, last, Disk{Total: 1000, Free: tc.free}, DefaultThresholds, now) {
			ids = append(ids, i.ID)
		}
		if got := fmt.Sprint(ids); got != tc.want {
			t.Errorf("%d free: %s, want %s", tc.free, got, tc.want)
		}
	}
	if got := Excess(images, used, last, Disk{Total: 100, Free: 14}, Thresholds{High: 85, Low: 80}, now); len(got) != 1 || got[0].ID != "old" {
		t.Errorf("one is enough: %v", got)
	}
	seen := map[string]time.Time{"gone": now}
	Note(seen, images, used, now)
	Note(seen, images, used, now.Add(time.Hour))
	if len(seen) != len(images) || !seen["old"].Equal(now) || !seen["used"].Equal(now.Add(time.Hour)) {
		t.Errorf("seen %v", seen)
	}
}

func TestPolicy(t *testing.T) {
	for _, tc := range []struct {
		image string
		in    v1.PullPolicy
		want  v1.PullPolicy
	}{{"a:1", "", v1.PullIfNotPresent}, {"a:1", v1.PullAlways, v1.PullAlways}, {"localhost/a:latest", v1.PullAlways, v1.PullIfNotPresent}, {"localhost/a", v1.PullNever, v1.PullNever}} {
		if got := Policy(tc.image, tc.in); got != tc.want {
			t.Errorf("Policy(%s, %s) = %s", tc.image, tc.in, got)
		}
	}
}

func TestPullerTriesEveryKey(t *testing.T) {
	r := &registry{gate: make(chan struct{})}
	close(r.gate)
	p := NewPuller(r, time.Now)
	done := make(chan Outcome, 2)
	wrong, right := sandbox.Credential{Username: "wrong"}, sandbox.Credential{Username: "right"}
	for i, keys := range [][]sandbox.Credential{{wrong}, {wrong, right}} {
		p.Pull(t.Context(), Use{Pod: "p", Attempt: i}, "i", v1.PullIfNotPresent, keys, func(o Outcome) { done <- o })
		if o := <-done; (o.Err == nil) != (len(keys) == 2) {
			t.Errorf("with %v: %v", keys, o.Err)
		}
	}
	p.Wait()
}

// TestNeverIsNotPulled: what must not be pulled is looked for, and that is all.
func TestNeverIsNotPulled(t *testing.T) {
	r := &registry{gate: make(chan struct{})}
	close(r.gate)
	p := NewPuller(r, time.Now)
	done := make(chan Outcome, 1)
	p.Pull(t.Context(), Use{Pod: "a", Container: "volume/v"}, "i", v1.PullNever, nil, func(o Outcome) { done <- o })
	if o := <-done; !errors.Is(o.Err, ErrNever) || r.pulls != 0 {
		t.Errorf("outcome %+v after %d pulls", o, r.pulls)
	}
	r.here = true
	p.Pull(t.Context(), Use{Pod: "b", Container: "volume/v"}, "i", v1.PullNever, nil, func(o Outcome) { done <- o })
	if o := <-done; o.Err != nil || !o.Here {
		t.Errorf("outcome %+v", o)
	}
}

// TestMountedImagesAreUsed: an image that a pod mounts is in use though no container is made of it.
func TestMountedImagesAreUsed(t *testing.T) {
	p := &v1.Pod{Spec: v1.PodSpec{Volumes: []v1.Volume{{Name: "e"}, {Name: "v", VolumeSource: v1.VolumeSource{Image: &v1.ImageVolumeSource{Reference: "m:1"}}}}}}
	if used := Used([]*v1.Pod{p}, nil); !used["m:1"] {
		t.Errorf("used: %v", used)
	}
}
