package store

import "github.com/skerry/skerry/bus"

// state is what a watch has told its reader: every key's revision. It turns lists
// and live changes into events. Pure, and not safe for concurrent use.
type state struct {
	known   map[bus.Key]known
	markers int // deleted keys in known
	// floor is the revision of the last list: what is at or below it is reflected.
	floor Revision
	// seen is the newest revision that is reflected.
	seen Revision
}

type known struct {
	rev     Revision
	deleted bool
}

func newState() *state { return &state{known: map[bus.Key]known{}} }

// merge takes a list, sorted by revision, that reflects rev, and returns what the
// reader does not know yet: changes in order, then the keys that vanished.
func (s *state) merge(entries []Entry, rev Revision) []Event {
	old := s.known
	if rev < s.seen {
		// The bucket is not the one that was seen: revisions say nothing.
		old = make(map[bus.Key]known, len(s.known))
		for k, v := range s.known {
			old[k] = known{deleted: v.deleted}
		}
		s.floor, s.seen = 0, 0
	}
	next := make(map[bus.Key]known, len(entries))
	events := make([]Event, 0, len(entries)+1)
	s.markers = 0
	for _, e := range entries {
		was, has := old[e.Key]
		if has && was.rev >= e.Revision {
			next[e.Key] = was
		} else {
			next[e.Key] = known{rev: e.Revision, deleted: e.Deleted}
			if !e.Deleted || has && !was.deleted {
				events = append(events, Event{Entry: e})
			}
		}
	}
	for k, was := range old {
		if _, listed := next[k]; listed {
			continue
		}
		if was.rev > rev { // newer than the list
			next[k] = was
		} else if !was.deleted {
			events = append(events, Event{Entry: Entry{Key: k, Deleted: true, Revision: rev}})
		}
	}
	for _, v := range next {
		if v.deleted {
			s.markers++
		}
	}
	s.known = next
	s.floor, s.seen = max(s.floor, rev), max(s.seen, rev)
	return events
}

// apply takes a live change. stale: it is older than what is known. gap: the key had
// a change in between that never came. In both cases there is no event, and nothing
// is noted.
func (s *state) apply(r record) (e Event, gap, stale bool) {
	was, has := s.known[r.Key]
	if r.Revision <= was.rev || r.Revision <= s.floor {
		return Event{}, false, true
	}
	if r.prev > was.rev && r.prev > s.floor {
		return Event{}, true, false
	}
	if was.deleted {
		s.markers--
	}
	if r.Deleted {
		s.markers++
	}
	s.known[r.Key] = known{rev: r.Revision, deleted: r.Deleted}
	s.seen = max(s.seen, r.Revision)
	if r.Deleted && (!has || was.deleted) {
		return Event{Entry: Entry{Revision: s.seen}, Progress: true}, false, false
	}
	return Event{Entry: r.Entry}, false, false
}
