package node

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus/lease"
	"github.com/skerry/skerry/schemas"
)

// life is what is known of a node's agent.
type life int

const (
	// unsure: not enough time has passed to tell; nothing is to be changed.
	unsure life = iota
	alive
	lost
)

// pulse remembers heartbeats, and which nodes call themselves ready. A restarted bus has
// forgotten every heartbeat, and a controller that was cut off has seen none: a node that has been
// silent ever since the bus came in sight is not lost before a whole grace has passed. Safe for
// concurrent use.
type pulse struct {
	grace time.Duration

	mu    sync.Mutex
	since time.Time // when the bus came in sight
	beats map[schemas.NodeName]bool
	gone  map[schemas.NodeName]bool
	// fell are those of the gone that had been heard of since the bus came in sight: that
	// is no gap in what this controller knows, and there is nothing to wait for.
	fell  map[schemas.NodeName]bool
	nodes map[schemas.NodeName]known
	ready int // nodes that say so
	// silent are those of the ready that no heartbeat is known of: few, as a rule, so
	// that the lost are counted without going over all nodes.
	silent map[schemas.NodeName]bool
}

// known is what a node says of itself.
type known struct {
	ready   bool
	created time.Time
}

func newPulse(grace time.Duration, now time.Time) *pulse {
	return &pulse{
		grace: grace, since: now, beats: map[schemas.NodeName]bool{}, gone: map[schemas.NodeName]bool{},
		fell: map[schemas.NodeName]bool{}, nodes: map[schemas.NodeName]known{}, silent: map[schemas.NodeName]bool{},
	}
}

// see takes in what a node says of itself.
func (p *pulse) see(n *corev1.Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := schemas.NodeName(n.Name)
	p.forget(name)
	k := known{readiness(n) == corev1.ConditionTrue, n.CreationTimestamp.Time}
	if p.nodes[name] = k; k.ready {
		p.ready++
	}
	p.hush(name)
}

// hush sorts a node into the silent or out of them.
func (p *pulse) hush(n schemas.NodeName) {
	if p.nodes[n].ready && !p.beats[n] {
		p.silent[n] = true
	} else {
		delete(p.silent, n)
	}
}

func (p *pulse) forget(n schemas.NodeName) {
	if p.nodes[n].ready {
		p.ready--
	}
	delete(p.nodes, n)
	delete(p.silent, n)
}

// claimed is how many nodes call themselves ready, and how many do not.
func (p *pulse) claimed() (ready, unready int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready, len(p.nodes) - p.ready
}

// count is the same with those that are lost among the unready, whether or not that has
// been concluded yet.
func (p *pulse) count(now time.Time) (ready, unready int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ready = p.ready
	for n := range p.silent {
		if l, _ := p.life(n, p.nodes[n].created, now); l == lost {
			ready--
		}
	}
	return ready, len(p.nodes) - ready
}

// restart begins a new grace: the bus is in sight again.
func (p *pulse) restart(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since = now
	clear(p.beats)
	clear(p.fell)
	for n := range p.nodes {
		p.hush(n)
	}
}

// note takes a beat in and reports whether it changes what is known.
func (p *pulse) note(b lease.Beat) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := [2]bool{p.beats[b.Node], p.gone[b.Node]}
	if b.Lost {
		if p.beats[b.Node] {
			p.fell[b.Node] = true
		}
		delete(p.beats, b.Node)
		p.gone[b.Node] = true
	} else {
		p.beats[b.Node] = true
		delete(p.gone, b.Node)
		delete(p.fell, b.Node)
	}
	p.hush(b.Node)
	return was != [2]bool{p.beats[b.Node], p.gone[b.Node]}
}

// drop forgets a node that is no more.
func (p *pulse) drop(n schemas.NodeName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.beats, n)
	delete(p.gone, n)
	delete(p.fell, n)
	p.forget(n)
}

// of tells about a node that was created at that time, and when to ask again if
// nothing is heard of it before; 0 if only a beat or a loss can change the answer.
func (p *pulse) of(n schemas.NodeName, created, now time.Time) (life, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life(n, created, now)
}

func (p *pulse) life(n schemas.NodeName, created, now time.Time) (life, time.Duration) {
	if p.beats[n] {
		return alive, 0
	}
	if p.fell[n] {
		return lost, 0
	}
	from := p.since
	if !p.gone[n] && created.After(from) {
		from = created // it has never been heard of: it may be starting
	}
	if wait := from.Add(p.grace).Sub(now); wait > 0 {
		return unsure, wait
	}
	return lost, 0
}
