package store

import (
	"maps"
	"slices"

	"github.com/skerry/skerry/bus"
)

// minMarkers is how many deleted keys a watch may remember, however few there are: beyond, no more than there are keys.
const minMarkers = 64

// state is what a watch has told its reader: every key's revision. It turns lists
// and live changes into events. Pure, and not safe for concurrent use.
type state struct {
	known   map[bus.Key]known
	markers int // deleted keys in known
	// floor is the revision of the last list, or a later one: what is at or below it is
	// reflected. Keys that were deleted by then need not be known.
	floor Revision
	// seen is the newest revision that is reflected.
	seen Revision
}

// known is the revision of a key, whether that deleted it, and whether the list under way has
// had it. There is one of every key: the marks take no room of their own.
type known uint64

const ( // no bucket comes to as many revisions
	markDeleted known = 1 << 63
	markListed  known = 1 << 62
)

func knownOf(rev Revision, deleted bool) known {
	if deleted {
		return known(rev) | markDeleted
	}
	return known(rev)
}

func (k known) rev() Revision { return Revision(k &^ (markDeleted | markListed)) }

func (k known) deleted() bool { return k&markDeleted != 0 }

func (k known) listed() bool { return k&markListed != 0 }

func newState() *state { return &state{known: map[bus.Key]known{}} }

// begin begins a list of a bucket that is at revision last now, or later.
func (s *state) begin(last Revision) {
	if last >= s.seen {
		return
	}
	// The bucket is not the one that was seen: revisions say nothing.
	for k, v := range s.known {
		s.known[k] = knownOf(0, v.deleted())
	}
	s.floor, s.seen = 0, 0
}

// take takes in a part of a list, and returns what the reader does not know yet, in the part's
// order. A key may come again in a later part, at a later revision.
func (s *state) take(entries []Entry) []Event {
	events := make([]Event, 0, len(entries)+1)
	for _, e := range entries {
		was, has := s.known[e.Key]
		if has && was.rev() >= e.Revision {
			s.known[e.Key] = was | markListed
			continue
		}
		s.known[e.Key] = knownOf(e.Revision, e.Deleted) | markListed
		if !e.Deleted || has && !was.deleted() {
			events = append(events, Event{Entry: e, Listed: true})
		}
	}
	return events
}

// end ends a list that reflects rev, and returns the keys that vanished.
func (s *state) end(rev Revision) []Event {
	var events []Event
	for k, v := range s.known {
		switch {
		case v.listed():
			s.known[k] = v &^ markListed
		case v.rev() > rev: // newer than the list
		default:
			delete(s.known, k)
			if !v.deleted() {
				events = append(events, Event{Entry: Entry{Key: k, Deleted: true, Revision: rev}, Listed: true})
			}
		}
	}
	s.floor, s.seen = max(s.floor, rev), max(s.seen, rev)
	s.forget()
	return events
}

// abandon ends a list that broke off: what came of it is known, and what did not come may be there.
func (s *state) abandon() {
	for k, v := range s.known {
		s.known[k] = v &^ markListed
	}
}

// forget drops the deleted keys at or below the floor: should one of them be made again, the
// floor tells that nothing was missed of it. The bucket keeps their markers for a while.
func (s *state) forget() {
	s.markers = 0
	for k, v := range s.known {
		switch {
		case !v.deleted():
		case v.rev() <= s.floor:
			delete(s.known, k)
		default:
			s.markers++
		}
	}
}

// crowded tells whether more deleted keys are remembered than there are others.
func (s *state) crowded() bool { return s.markers > minMarkers && s.markers > len(s.known)-s.markers }

// settle raises the floor over the older half of the deleted keys, and forgets them. All
// changes up to what was seen have come by, in their order; that one of them was lost
// shows, from here on, only by a change of a key since then. What is left gets a map of its size: one never shrinks.
func (s *state) settle() {
	revs := make([]Revision, 0, s.markers)
	for _, v := range s.known {
		if v.deleted() {
			revs = append(revs, v.rev())
		}
	}
	slices.Sort(revs)
	s.floor = max(s.floor, revs[len(revs)/2])
	s.forget()
	left := make(map[bus.Key]known, len(s.known))
	maps.Copy(left, s.known)
	s.known = left
}

// apply takes a live change. stale: it is older than what is known. gap: the key had
// a change in between that never came. In both cases there is no event, and nothing
// is noted.
func (s *state) apply(r record) (e Event, gap, stale bool) {
	was, has := s.known[r.Key]
	if r.Revision <= was.rev() || r.Revision <= s.floor {
		return Event{}, false, true
	}
	if r.prev > was.rev() && r.prev > s.floor {
		return Event{}, true, false
	}
	if was.deleted() {
		s.markers--
	}
	if r.Deleted {
		s.markers++
	}
	s.known[r.Key] = knownOf(r.Revision, r.Deleted)
	s.seen = max(s.seen, r.Revision)
	if s.crowded() {
		s.settle()
	}
	if r.Deleted && (!has || was.deleted()) {
		return Event{Entry: Entry{Revision: s.seen}, Progress: true}, false, false
	}
	return Event{Entry: r.Entry}, false, false
}
