package eviction

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/services/agent/cgroup"
	"github.com/skerry/skerry/services/agent/pod"
)

// bed is a node whose figures a test sets.
type bed struct {
	*Manager
	figures   cgroup.Host
	running   []cgroup.Usage
	pods      []*v1.Pod
	evicted   []string
	last      pod.Eviction
	events    []string
	changes   int
	reclaimed int
}

func newBed(t *testing.T, c Config) *bed {
	b := &bed{figures: cgroup.Host{Memory: 1000, Available: 900, PIDs: 1000, Processes: 1}}
	b.Manager = New(c, Host{
		Figures: func() cgroup.Host { return b.figures }, Usage: func() []cgroup.Usage { return b.running },
		DataDir: t.TempDir(), LogDir: t.TempDir(), Images: func() string { return "" },
		Layer: func(context.Context, string) (string, error) { return "", nil },
		EmptyDirs: func(p *v1.Pod) ([]EmptyDir, error) {
			return []EmptyDir{{Name: "v", Used: Space{Bytes: int64(len(p.Name)) << 20}}}, nil
		},
	}, Node{
		Pods: func() []*v1.Pod { return b.pods },
		Evict: func(p *v1.Pod, ev pod.Eviction) {
			b.evicted = append(b.evicted, p.Name)
			b.last = ev
		},
		Reclaim: func(context.Context) error { b.reclaimed++; return nil },
		Changed: func() { b.changes++ },
		Event:   func(_, reason, message string) { b.events = append(b.events, reason+": "+message) },
		Log:     slog.New(slog.DiscardHandler), Now: time.Now,
	})
	return b
}

func (b *bed) add(p *v1.Pod, memory int64) {
	b.pods = append(b.pods, p)
	b.running = append(b.running, cgroup.Usage{Process: cgroup.Process{UID: p.UID, Container: "main", ID: p.Name}, Memory: memory})
}

func (b *bed) gone(name string) {
	for i, u := range b.running {
		if u.ID == name {
			b.running = append(b.running[:i:i], b.running[i+1:]...)
			return
		}
	}
}

func TestMemoryPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, Config{Thresholds: []Threshold{{Signal: MemoryAvailable, Amount: Amount{Quantity: 100}}}, Transition: time.Minute})
		b.add(newPod("modest", "500", "", 0), 400)
		b.add(newPod("greedy", "", "", 0), 300)
		b.add(newPod("critical", "", "", criticalFrom), 800)
		if b.turn(t.Context()) || len(b.evicted) > 0 {
			t.Fatalf("all is well, and it evicted %v", b.evicted)
		}
		b.figures.Available = 50
		for range 3 { // the first one is awaited
			if !b.turn(t.Context()) {
				t.Error("it will not look again soon")
			}
		}
		if got := strings.Join(b.evicted, " "); got != "greedy" {
			t.Errorf("evicted %q", got)
		}
		if b.last.Reason != "Evicted" || *b.last.Grace != 0 || b.last.Condition.Reason != "TerminationByKubelet" || !strings.HasPrefix(b.last.Message, "The node was low on resource: memory. ") {
			t.Errorf("evicted with %+v", b.last)
		}
		if len(b.events) != 1 || b.events[0] != "EvictionThresholdMet: Attempting to reclaim memory" || b.changes != 1 || b.reclaimed != 0 {
			t.Errorf("events %v, %d changes, %d collections", b.events, b.changes, b.reclaimed)
		}
		b.gone("greedy")
		b.turn(t.Context())
		b.gone("modest")
		b.turn(t.Context())
		if got := strings.Join(b.evicted, " "); got != "greedy modest" {
			t.Errorf("evicted %q: the critical one must stay", got)
		}
		b.figures.Available = 900
		b.turn(t.Context())
		if !b.Pressure()[v1.NodeMemoryPressure] {
			t.Error("the condition went at once")
		}
		<-time.After(2 * time.Minute)
		b.turn(t.Context())
		if len(b.Pressure()) > 0 || b.changes != 2 {
			t.Errorf("pressure %v after %d changes", b.Pressure(), b.changes)
		}
	})
}

// TestVictimThatStays: a pod that does not end keeps the others safe, but not for ever.
func TestVictimThatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, Config{Thresholds: []Threshold{{Signal: PIDAvailable, Amount: Amount{Share: 0.5}, Grace: time.Second}}, MaxGrace: 7 * time.Second})
		p := newPod("a", "", "", 0)
		p.Spec.TerminationGracePeriodSeconds = ptr.To(int64(5))
		b.add(p, 1)
		b.figures.Processes = 600
		b.turn(t.Context())
		if len(b.evicted) > 0 {
			t.Error("a soft threshold ended a pod at once")
		}
		<-time.After(time.Second)
		b.turn(t.Context())
		if len(b.evicted) != 1 || *b.last.Grace != 5*time.Second {
			t.Errorf("evicted %v with %v", b.evicted, *b.last.Grace)
		}
		<-time.After(patience)
		b.turn(t.Context())
		if len(b.evicted) != 2 {
			t.Errorf("evicted %v", b.evicted)
		}
	})
}

func TestLimitOfTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, Config{})
		for _, name := range []string{"ab", "abcd"} { // with 2 and 4 MiB
			p := newPod(name, "", "", 0)
			p.Spec.Volumes = []v1.Volume{{Name: "v", VolumeSource: v1.VolumeSource{EmptyDir: &v1.EmptyDirVolumeSource{SizeLimit: ptr.To(resource.MustParse("3Mi"))}}}}
			b.add(p, 1)
		}
		b.turn(t.Context())
		if len(b.evicted) != 1 || b.evicted[0] != "abcd" || b.last.Message != `Usage of EmptyDir volume "v" exceeds the limit "3Mi". ` {
			t.Errorf("evicted %v with %+v", b.evicted, b.last)
		}
		if b.changes != 0 || b.Admit(newPod("new", "", "", 0)) != nil {
			t.Error("a pod's own limit is no pressure")
		}
	})
}

func TestImagesGoBeforePods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, Config{Thresholds: []Threshold{{Signal: NodeFSAvailable, Amount: Amount{Share: 1}}}})
		b.add(newPod("a", "", "", 0), 1)
		b.add(newPod("abc", "", "", 0), 1)
		b.turn(t.Context())
		if b.reclaimed != 1 || len(b.evicted) > 0 {
			t.Errorf("%d collections, evicted %v", b.reclaimed, b.evicted)
		}
		b.turn(t.Context())
		if b.reclaimed != 1 || len(b.evicted) != 1 || b.evicted[0] != "abc" {
			t.Errorf("%d collections, evicted %v", b.reclaimed, b.evicted)
		}
	})
}

func TestAdmit(t *testing.T) {
	memory, disk := v1.NodeMemoryPressure, v1.NodeDiskPressure
	tolerant := newPod("p", "", "", 0)
	tolerant.Spec.Tolerations = []v1.Toleration{{Key: v1.TaintNodeMemoryPressure, Operator: v1.TolerationOpExists, Effect: v1.TaintEffectNoSchedule}}
	for _, c := range []struct {
		name     string
		pod      *v1.Pod
		pressure map[v1.NodeConditionType]bool
		want     string
	}{
		{"no pressure", newPod("p", "", "", 0), nil, ""},
		{"best effort, memory", newPod("p", "", "", 0), map[v1.NodeConditionType]bool{memory: true}, "Pod was rejected: The node had condition: [MemoryPressure]. "},
		{"burstable, memory", newPod("p", "1Mi", "", 0), map[v1.NodeConditionType]bool{memory: true}, ""},
		{"tolerates it", tolerant, map[v1.NodeConditionType]bool{memory: true}, ""},
		{"burstable, disk", newPod("p", "1Mi", "", 0), map[v1.NodeConditionType]bool{disk: true, memory: true}, "Pod was rejected: The node had condition: [DiskPressure MemoryPressure]. "},
		{"critical", newPod("p", "", "", criticalFrom), map[v1.NodeConditionType]bool{disk: true}, ""},
	} {
		b := newBed(t, Config{})
		b.pressure = c.pressure
		got := ""
		if ev := b.Admit(c.pod); ev != nil {
			got = ev.Message
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
