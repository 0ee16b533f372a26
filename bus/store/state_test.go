package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skerry/skerry/bus"
)

func put(k bus.Key, rev Revision) Entry { return Entry{Key: k, Revision: rev, Value: []byte("v")} }
func del(k bus.Key, rev Revision) Entry { return Entry{Key: k, Revision: rev, Deleted: true} }

func describe(events []Event) string {
	var out []string
	for _, e := range events {
		switch {
		case e.Progress:
			out = append(out, fmt.Sprintf("progress@%d", e.Revision))
		case e.Deleted:
			out = append(out, fmt.Sprintf("-%s@%d", e.Key, e.Revision))
		default:
			out = append(out, fmt.Sprintf("+%s@%d", e.Key, e.Revision))
		}
	}
	return strings.Join(out, " ")
}

// merge takes in a whole list.
func (s *state) merge(entries []Entry, rev Revision) []Event {
	s.begin(rev)
	return append(s.take(entries), s.end(rev)...)
}

func TestMerge(t *testing.T) {
	first := []Entry{put("a", 1), del("b", 2), put("c", 3)}
	tests := []struct {
		name string
		list []Entry
		rev  Revision
		want string
	}{
		{"nothing new", first, 3, ""},
		{"a change and a new key", []Entry{del("b", 2), put("c", 3), put("a", 4), put("d", 5)}, 5, "+a@4 +d@5"},
		{"deleted with a marker", []Entry{del("b", 2), put("c", 3), del("a", 4)}, 4, "-a@4"},
		{"vanished without one", []Entry{put("c", 3)}, 9, "-a@9"},
		{"a marker for what was never there", append(first[:3:3], del("x", 4)), 4, ""},
		{"deleted and made again", []Entry{put("c", 3), put("b", 5), put("a", 7)}, 7, "+b@5 +a@7"},
		{"another bucket of the name", []Entry{put("a", 1), put("z", 2)}, 2, "+a@1 +z@2 -c@2"},
		{"an empty one", nil, 0, "-a@0 -c@0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newState()
			if got := describe(s.merge(first, 3)); got != "+a@1 +c@3" {
				t.Fatalf("first list: %s", got)
			}
			got := strings.Split(describe(s.merge(tt.list, tt.rev)), " ")
			want := strings.Split(tt.want, " ")
			if len(got) != len(want) {
				t.Fatalf("got %v, want %v", got, want)
			}
			for _, w := range want { // vanished keys come in any order
				if !strings.Contains(strings.Join(got, " "), w) {
					t.Errorf("got %v, want %v", got, want)
				}
			}
			if again := s.merge(tt.list, tt.rev); len(again) != 0 {
				t.Errorf("the same list again: %s", describe(again))
			}
		})
	}
}

// TestBrokenList: what a list had before it broke off is known, and not taken for what is in the next.
func TestBrokenList(t *testing.T) {
	s := newState()
	s.begin(9)
	got := describe(append(s.take([]Entry{put("a", 1), put("b", 2)}), s.take([]Entry{put("a", 4)})...))
	if got != "+a@1 +b@2 +a@4" {
		t.Errorf("a key twice: %s", got)
	}
	s.abandon()
	if got := describe(s.merge([]Entry{put("c", 3), put("a", 4)}, 9)); got != "+c@3 -b@9" {
		t.Errorf("the next list: %s", got)
	}
}

func TestApplyLive(t *testing.T) {
	tests := []struct {
		name       string
		r          record
		want       string
		gap, stale bool
	}{
		{"a change", record{Entry: put("a", 11), prev: 1}, "+a@11", false, false},
		{"a new key", record{Entry: put("n", 11)}, "+n@11", false, false},
		{"a change was missed", record{Entry: put("a", 12), prev: 11}, "", true, false},
		{"the predecessor is older than the list", record{Entry: put("b", 12), prev: 9}, "+b@12", false, false},
		{"older than the list", record{Entry: put("n", 10)}, "", false, true},
		{"deleted", record{Entry: del("a", 11), prev: 1}, "-a@11", false, false},
		{"deleted twice", record{Entry: del("b", 11), prev: 2}, "progress@11", false, false},
		{"deleted, never known", record{Entry: del("n", 11)}, "progress@11", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newState()
			s.merge([]Entry{put("a", 1), del("b", 2), put("c", 3)}, 10)
			e, gap, stale := s.apply(tt.r)
			if stale != tt.stale || gap != tt.gap {
				t.Errorf("gap %v, stale %v", gap, stale)
			}
			if !stale && !gap && describe([]Event{e}) != tt.want {
				t.Errorf("got %s, want %s", describe([]Event{e}), tt.want)
			}
			if _, gap, stale := s.apply(tt.r); !stale && !gap {
				t.Error("the same change again is news")
			}
		})
	}
}

func TestMarkersAreForgotten(t *testing.T) {
	s := newState()
	s.merge(nil, 0)
	for i := range Revision(10) {
		s.apply(record{Entry: put("a", 2*i+1)})
		s.apply(record{Entry: del("a", 2*i+2), prev: 2*i + 1})
	}
	if s.markers != 1 {
		t.Errorf("%d markers of one key", s.markers)
	}
	s.merge(nil, 30)
	if s.markers != 0 || len(s.known) != 0 {
		t.Errorf("after a list: %d markers, %d keys", s.markers, len(s.known))
	}
}

// TestManyDeletions: however many keys were deleted, few are remembered, none of them asks
// for a list, and one that is made again is told of.
func TestManyDeletions(t *testing.T) {
	s := newState()
	s.merge(nil, 0)
	key := func(i int) bus.Key { return bus.Key(fmt.Sprint("k", i)) }
	const n = 100*minMarkers + 10
	for i := range n {
		at := Revision(2*i + 1)
		if _, gap, stale := s.apply(record{Entry: put(key(i), at)}); gap || stale {
			t.Fatalf("put %d: gap %v, stale %v", i, gap, stale)
		}
		if e, gap, stale := s.apply(record{Entry: del(key(i), at+1), prev: at}); gap || stale || !e.Deleted {
			t.Fatalf("delete %d: %+v, gap %v, stale %v", i, e, gap, stale)
		}
		if s.markers > minMarkers+1 || len(s.known) > minMarkers+2 {
			t.Fatalf("%d markers and %d keys after %d", s.markers, len(s.known), i)
		}
	}
	again := func(i int, at Revision) {
		t.Helper()
		e, gap, stale := s.apply(record{Entry: put(key(i), at), prev: Revision(2*i + 2)})
		if gap || stale || e.Deleted || e.Key != key(i) {
			t.Errorf("key %d made again: %+v, gap %v, stale %v", i, e, gap, stale)
		}
	}
	again(0, 2*n+1)   // forgotten
	again(n-1, 2*n+2) // remembered
	if _, gap, _ := s.apply(record{Entry: put(key(n-2), 2*n+9), prev: 2*n + 8}); !gap {
		t.Error("a change that never came is not missed")
	}
	// A list that has the markers, as the bucket keeps them for a while.
	var list []Entry
	for i := 1; i < n-1; i++ {
		list = append(list, del(key(i), Revision(2*i+2)))
	}
	list = append(list, put(key(0), 2*n+1), put(key(n-1), 2*n+2))
	if events := s.merge(list, 2*n+2); len(events) != 0 || s.markers != 0 || len(s.known) != 2 {
		t.Errorf("after a list: %d events, %d markers, %d keys", len(events), s.markers, len(s.known))
	}
	again(1, 2*n+3)
}

func TestBacklogIsBounded(t *testing.T) {
	var b backlog[int]
	for i := range heldCount + 5 {
		b.push(i, 1)
	}
	if len(b.items) != heldCount || !b.overflowed() {
		t.Errorf("%d items, overflowed %v", len(b.items), b.overflowed())
	}
	for want := 0; !b.empty(); want++ {
		if got, _ := b.first(); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
		b.pop()
	}
	b.push(1, heldBytes)
	b.push(2, 1)
	if len(b.items) != 1 {
		t.Error("not bounded by bytes")
	}
}

func TestFilters(t *testing.T) {
	for _, tt := range []struct {
		filter, key string
		want        bool
	}{
		{">", "a.b", true}, {"a.>", "a.b.c", true}, {"a.>", "a", false}, {"a.*", "a.b", true},
		{"a.*", "a.b.c", false}, {"a.*.c", "a.b.c", true}, {"a", "a", true}, {"a.b", "a", false}, {"a", "a.b", false},
	} {
		if got := matches(tt.filter, tt.key); got != tt.want {
			t.Errorf("matches(%q, %q) = %v", tt.filter, tt.key, got)
		}
	}
	for _, tt := range []struct {
		want    string
		filters []string
	}{
		{"a.b", []string{"a.b"}},
		{"a.>", []string{"a.b", "a.c.d"}},
		{">", []string{"a.b", "c.d"}},
		{"a.b.>", []string{"a.b.>", "a.b.*.c"}},
		{">", []string{"a", "a.b"}},
	} {
		if got := cover(tt.filters); got != tt.want {
			t.Errorf("cover(%q) = %q, want %q", tt.filters, got, tt.want)
		}
	}
}

// TestReplacedKeys: where keys are replaced for ever, no more deleted ones are remembered than there are others.
func TestReplacedKeys(t *testing.T) {
	s := newState()
	s.merge(nil, 0)
	const n = 1000
	key := func(i int) bus.Key { return bus.Key(fmt.Sprint("k", i)) }
	made, rev := map[int]Revision{}, Revision(0)
	for i := range 50 * n {
		rev++
		made[i] = rev
		s.apply(record{Entry: put(key(i), rev)})
		if i < n {
			continue
		}
		rev++
		if e, gap, stale := s.apply(record{Entry: del(key(i-n), rev), prev: made[i-n]}); gap || stale || !e.Deleted {
			t.Fatalf("delete %d: %+v, gap %v, stale %v", i-n, e, gap, stale)
		}
		if len(s.known) > 2*(n+1)+1 {
			t.Fatalf("%d keys are known after %d, and %d are there", len(s.known), i, n)
		}
	}
}

// TestMarkersLiveAsLongAsTheyServe: a watch finds a deletion that got lost at its next look, at the latest, and
// what was deleted is not kept for longer: where much is replaced, that would be most of what the bucket holds.
func TestMarkersLiveAsLongAsTheyServe(t *testing.T) {
	look := checkEvery*3/2 + askTimeout + settleAfter
	if markerTTL < look || markerTTL > look+time.Minute {
		t.Errorf("markers stay %s, and a lost one is found within %s", markerTTL, look)
	}
	m := New(nil, bus.BucketState).message(&write{Op: Op{Key: "desired.pods.default.p"}}, "", 0, false)
	if got, want := m.Header.Get(headerTTL), fmt.Sprintf("%ds", int(markerTTL.Seconds())); got != want {
		t.Errorf("a marker stays %s, want %s", got, want)
	}
}
