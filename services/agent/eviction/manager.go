package eviction

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas/amount"
	"github.com/skerry/skerry/services/agent/cgroup"
	"github.com/skerry/skerry/services/agent/pod"
)

// Node is what the manager reads and changes of its node.
type Node struct {
	// Pods are those that are ordered.
	Pods func() []*v1.Pod
	// Evict ends a pod; it does not wait.
	Evict func(p *v1.Pod, ev pod.Eviction)
	// Reclaim frees disk that no pod needs: containers of pods that have ended, then images.
	Reclaim func(ctx context.Context) error
	// Changed is told that conditions have changed, Event records what happened to the node.
	Changed func()
	Event   func(eventType, reason, message string)
	Log     *slog.Logger
	Now     func() time.Time
}

// How often signals are looked at: while all is well, and while a threshold is near.
const (
	calm  = 10 * time.Second
	tense = time.Second
	// patience is how long what an ended pod held is awaited, reclaimEvery how often unused
	// images are looked for at most.
	patience     = 30 * time.Second
	reclaimEvery = 30 * time.Second
)

// Manager watches over one node. Run is its only writer; the rest is safe for concurrent use.
type Manager struct {
	config Config
	node   Node
	disk   surveyor

	memory    memory
	shared    bool
	victim    types.UID // the pod that was ended last, until it is gone
	since     time.Time
	reclaimed time.Time
	told      string // the thresholds that were last told of

	mu       sync.Mutex
	pressure map[v1.NodeConditionType]bool
}

// New returns a manager.
func New(c Config, h Host, n Node) *Manager {
	return &Manager{config: c, node: n, disk: surveyor{Host: &h, now: n.Now}, pressure: map[v1.NodeConditionType]bool{}}
}

// Pressure are the node's conditions that are true.
func (m *Manager) Pressure() map[v1.NodeConditionType]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.pressure)
}

// Run watches until ctx ends.
func (m *Manager) Run(ctx context.Context) error {
	for {
		wait := calm
		if m.turn(ctx) {
			wait = tense
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}

// turn looks once and ends at most one pod for the node's sake. It tells whether to look again soon.
func (m *Manager) turn(ctx context.Context) (soon bool) {
	var l Levels
	l, m.shared = m.disk.levels()
	var p plan
	p, m.memory = decide(m.config, m.memory, l, m.node.Now())
	m.conclude(p.pressure)
	running := m.disk.Usage()
	if m.hold(ctx, running) {
		return true
	}
	if m.enforce(ctx, running) || len(p.met) == 0 {
		m.tell(nil)
		return p.near
	}
	m.tell(p.met)
	t := p.met[0]
	if m.reclaim(ctx, t) {
		return true // what that has freed is seen the next time
	}
	m.expel(ctx, t, l[t.Signal], running)
	return true
}

// conclude publishes the conditions.
func (m *Manager) conclude(now map[v1.NodeConditionType]bool) {
	m.mu.Lock()
	before := m.pressure
	m.pressure = now
	m.mu.Unlock()
	if !maps.Equal(before, now) {
		m.node.Changed()
	}
}

// hold tells whether the pod that was ended last is still there, and not for too long.
func (m *Manager) hold(ctx context.Context, running []cgroup.Usage) bool {
	if m.victim == "" {
		return false
	}
	there := slices.ContainsFunc(running, func(u cgroup.Usage) bool { return u.UID == m.victim })
	if there && m.node.Now().Sub(m.since) < patience {
		return ctx.Err() == nil
	}
	m.victim = ""
	return false
}

// tell records which resources are short, once for each change.
func (m *Manager) tell(met []Threshold) {
	var names []string
	for _, t := range met {
		if n := string(meanings[t.Signal].resource); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if text := strings.Join(names, ", "); text != m.told {
		if m.told = text; text != "" {
			m.node.Event(v1.EventTypeWarning, "EvictionThresholdMet", "Attempting to reclaim "+text)
		}
	}
}

// reclaim frees what no pod needs, before any pod is ended for its disk.
func (m *Manager) reclaim(ctx context.Context, t Threshold) bool {
	now := m.node.Now()
	if meanings[t.Signal].condition != v1.NodeDiskPressure || now.Sub(m.reclaimed) < reclaimEvery {
		return false
	}
	m.reclaimed = now
	if err := m.node.Reclaim(ctx); err != nil && ctx.Err() == nil {
		m.node.Log.Warn("reclaim disk", "error", err)
	}
	return true
}

// enforce ends pods that use more of the disk than they may.
func (m *Manager) enforce(ctx context.Context, running []cgroup.Usage) (acted bool) {
	var pods []*v1.Pod
	for _, p := range m.active(running) {
		if limited(p) && !critical(p) {
			pods = append(pods, p)
		}
	}
	if len(pods) == 0 || !m.disk.due() {
		return false
	}
	uses := m.disk.survey(ctx, pods, running)
	for _, p := range pods {
		if why := beyond(p, uses[p.UID]); why != "" && ctx.Err() == nil {
			m.end(p, why, 0)
			acted = true
		}
	}
	return acted
}

// active are the ordered pods of which something runs and that are not to go anyway.
func (m *Manager) active(running []cgroup.Usage) []*v1.Pod {
	there := map[types.UID]bool{}
	for _, u := range running {
		there[u.UID] = true
	}
	var out []*v1.Pod
	for _, p := range m.node.Pods() {
		if there[p.UID] && p.DeletionTimestamp == nil {
			out = append(out, p)
		}
	}
	return out
}

// expel ends the pod that comes first.
func (m *Manager) expel(ctx context.Context, t Threshold, l Level, running []cgroup.Usage) {
	pods := m.active(running)
	uses := m.disk.known
	if meanings[t.Signal].condition == v1.NodeDiskPressure {
		uses = m.disk.survey(ctx, pods, running)
	}
	var cs []candidate
	for _, p := range pods {
		if !critical(p) {
			cs = append(cs, candidate{pod: p, use: compute(uses[p.UID], p, running)})
		}
	}
	if len(cs) == 0 || ctx.Err() != nil {
		return
	}
	of := partOf(t.Signal, m.shared)
	c := rank(t.Signal, cs, of)[0]
	grace := time.Duration(0)
	if t.Grace > 0 {
		grace = min(m.config.MaxGrace, pod.GraceOf(c.pod))
	}
	m.end(c.pod, message(t, l, c, of), grace)
}

func (m *Manager) end(p *v1.Pod, why string, grace time.Duration) {
	m.node.Log.Warn("evict pod", "pod", pod.KeyOf(p), "why", why)
	m.victim, m.since = p.UID, m.node.Now()
	m.node.Evict(p, pod.Eviction{UID: p.UID, Reason: Reason, Message: why, Grace: &grace, Condition: target(why)})
}

// Admit says why a pod that is new here may not start, nil if it may: not while the node
// lacks something, unless it is memory and the pod has asked for some, or tolerates it.
func (m *Manager) Admit(p *v1.Pod) *pod.Eviction {
	pressure := m.Pressure()
	if len(pressure) == 0 || critical(p) {
		return nil
	}
	if len(pressure) == 1 && pressure[v1.NodeMemoryPressure] {
		if amount.QOS(&p.Spec) != v1.PodQOSBestEffort || tolerates(p, v1.TaintNodeMemoryPressure) {
			return nil
		}
	}
	var names []string
	for c := range pressure {
		names = append(names, string(c))
	}
	slices.Sort(names)
	why := fmt.Sprintf("The node had condition: %v. ", names)
	return &pod.Eviction{UID: p.UID, Reason: Reason, Message: pod.Rejected + why}
}

func tolerates(p *v1.Pod, taint string) bool {
	return slices.ContainsFunc(p.Spec.Tolerations, func(t v1.Toleration) bool {
		return (t.Key == taint || t.Key == "" && t.Operator == v1.TolerationOpExists) && (t.Effect == "" || t.Effect == v1.TaintEffectNoSchedule)
	})
}
