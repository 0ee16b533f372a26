package eviction

import (
	"cmp"
	"maps"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
)

// Level is how much of something is left of how much.
type Level struct{ Available, Capacity int64 }

// Levels are what was measured at one time. What could not be measured is not in it.
type Levels map[Signal]Level

// memory is what is remembered from one plan to the next.
type memory struct {
	met   map[Threshold]time.Time            // thresholds that are met, and since when
	acted map[Threshold]bool                 // those whose grace had passed: they need their reclaim too
	seen  map[v1.NodeConditionType]time.Time // when a condition was last asked for
}

// plan is what follows from levels.
type plan struct {
	// pressure are the conditions that are true, met the thresholds to act on, the
	// most urgent first.
	pressure map[v1.NodeConditionType]bool
	met      []Threshold
	// near is true if a threshold may be met soon: look again sooner.
	near bool
}

// decide plans from what is measured at now, and returns what to remember. Pure.
func decide(c Config, m memory, l Levels, now time.Time) (plan, memory) {
	next := memory{met: map[Threshold]time.Time{}, acted: map[Threshold]bool{}, seen: map[v1.NodeConditionType]time.Time{}}
	p := plan{pressure: map[v1.NodeConditionType]bool{}}
	maps.Copy(next.seen, m.seen)
	for _, t := range c.Thresholds {
		level, measured := l[t.Signal]
		if !measured || level.Capacity <= 0 {
			continue
		}
		bound := t.Amount.Of(level.Capacity)
		if m.acted[t] {
			bound += t.Reclaim.Of(level.Capacity)
		}
		if level.Available >= bound {
			p.near = p.near || level.Available < 2*bound
			continue
		}
		p.near = true
		next.met[t] = now
		if since, ok := m.met[t]; ok {
			next.met[t] = since
		}
		next.seen[meanings[t.Signal].condition] = now
		if now.Sub(next.met[t]) >= t.Grace {
			next.acted[t] = true
			p.met = append(p.met, t)
		}
	}
	for condition, at := range next.seen {
		if now.Sub(at) <= c.Transition || at.Equal(now) {
			p.pressure[condition] = true
		} else {
			delete(next.seen, condition)
		}
	}
	slices.SortStableFunc(p.met, func(a, b Threshold) int {
		return cmp.Or(cmp.Compare(urgency(a), urgency(b)), cmp.Compare(a.Grace, b.Grace))
	})
	return p, next
}

// urgency: memory is reclaimed first.
func urgency(t Threshold) int {
	if t.Signal == MemoryAvailable {
		return 0
	}
	return 1
}
