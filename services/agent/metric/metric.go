// Package metric works out what the node and its containers use now, for whoever asks.
//
// It reads the kernel's counters and writes nothing. What always holds: nothing is read
// while nobody asks; those who ask at the same time share one look; and one look costs a
// few small files for each container.
package metric

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/skerry/skerry/bus/metric"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/cgroup"
	"github.com/skerry/skerry/services/agent/sandbox"
)

const (
	// fresh is how old figures may be that are told again.
	fresh = time.Second
	// CPU time counts over at least shortest, and an older look than longest says little
	// about now.
	shortest = 500 * time.Millisecond
	longest  = 2 * time.Minute
)

// Source shows counters.
type Source interface {
	Usage() []cgroup.Usage
	Host() cgroup.Host
}

// Sampler answers for one node. Safe for concurrent use.
type Sampler struct {
	node   schemas.NodeName
	source Source
	now    func() time.Time

	turn chan struct{} // holds one token: whoever has it may look
	base look
	last *metric.Node
}

// look is what was seen at one time.
type look struct {
	at   time.Time
	host cgroup.Host
	used map[string]cgroup.Usage // by container id
}

// New returns a sampler.
func New(node schemas.NodeName, s Source, now func() time.Time) *Sampler {
	t := &Sampler{node: node, source: s, now: now, turn: make(chan struct{}, 1)}
	t.turn <- struct{}{}
	return t
}

// Sample returns the figures that a asks for.
func (s *Sampler) Sample(ctx context.Context, a metric.Ask) (*metric.Node, error) {
	select {
	case <-s.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { s.turn <- struct{}{} }()
	if s.last == nil || s.now().Sub(s.last.At) >= fresh {
		if err := s.look(ctx); err != nil {
			return nil, err
		}
	}
	return only(s.last, a), nil
}

// look looks now, and compares with the look before, for which it may have to wait.
func (s *Sampler) look(ctx context.Context) error {
	age := s.now().Sub(s.base.at)
	if age > longest {
		s.base, age = s.see(), 0
	}
	if age < shortest {
		if err := pause.For(ctx, shortest-age); err != nil {
			return err
		}
	}
	next := s.see()
	s.last = compare(s.node, s.base, next)
	s.base = next
	return nil
}

func (s *Sampler) see() look {
	l := look{at: s.now(), host: s.source.Host(), used: map[string]cgroup.Usage{}}
	for _, u := range s.source.Usage() {
		l.used[u.ID] = u
	}
	return l
}

// compare works out averages between two looks. A container that is new since the
// first one used all its CPU time after it. Pure.
func compare(node schemas.NodeName, before, after look) *metric.Node {
	window := after.at.Sub(before.at)
	rate := func(was, is time.Duration) int64 {
		if window <= 0 || is < was {
			return 0
		}
		return int64(float64(is-was) / float64(window) * 1e9)
	}
	out := &metric.Node{Name: node, At: after.at, Window: window, Figures: metric.Figures{
		CPU: rate(before.host.CPU, after.host.CPU), Memory: after.host.Working(),
	}}
	pods := map[sandbox.Key]*metric.Pod{}
	for id, u := range after.used {
		p := pods[u.Key]
		if p == nil {
			p = &metric.Pod{Namespace: u.Key.Namespace, Name: u.Key.Name, UID: u.UID}
			pods[u.Key] = p
		}
		p.Containers = append(p.Containers, metric.Container{Name: u.Container, Figures: metric.Figures{
			CPU: rate(before.used[id].CPU, u.CPU), Memory: u.Memory,
		}})
	}
	for _, p := range pods {
		slices.SortFunc(p.Containers, func(a, b metric.Container) int { return cmp.Compare(a.Name, b.Name) })
		out.Pods = append(out.Pods, *p)
	}
	slices.SortFunc(out.Pods, func(a, b metric.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// only is the part of n that a asks for.
func only(n *metric.Node, a metric.Ask) *metric.Node {
	out := *n
	out.Pods = nil
	if !a.Pods {
		return &out
	}
	for _, p := range n.Pods {
		if a.Namespace == "" || a.Namespace == p.Namespace {
			out.Pods = append(out.Pods, p)
		}
	}
	return &out
}
