package node

import (
	"sync"
	"time"

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

// pulse remembers heartbeats. It tells of no loss before the bus has been in sight
// for a whole grace: a restarted bus has forgotten every heartbeat, and a
// controller that was cut off has seen none. Safe for concurrent use.
type pulse struct {
	grace time.Duration

	mu    sync.Mutex
	since time.Time // when the bus came in sight
	beats map[schemas.NodeName]bool
	gone  map[schemas.NodeName]bool
}

func newPulse(grace time.Duration, now time.Time) *pulse {
	return &pulse{grace: grace, since: now, beats: map[schemas.NodeName]bool{}, gone: map[schemas.NodeName]bool{}}
}

// restart begins a new grace: the bus is in sight again.
func (p *pulse) restart(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since = now
	clear(p.beats)
}

// note takes a beat in and reports whether it changes what is known.
func (p *pulse) note(b lease.Beat) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := [2]bool{p.beats[b.Node], p.gone[b.Node]}
	if b.Lost {
		delete(p.beats, b.Node)
		p.gone[b.Node] = true
	} else {
		p.beats[b.Node] = true
		delete(p.gone, b.Node)
	}
	return was != [2]bool{p.beats[b.Node], p.gone[b.Node]}
}

// drop forgets a node that is no more.
func (p *pulse) drop(n schemas.NodeName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.beats, n)
	delete(p.gone, n)
}

// of tells about a node that was created at that time, and when to ask again if
// nothing is heard of it before; 0 if only a beat or a loss can change the answer.
func (p *pulse) of(n schemas.NodeName, created, now time.Time) (life, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.beats[n] {
		return alive, 0
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
