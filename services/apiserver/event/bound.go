package event

import (
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

// held is an event of the copy.
type held struct {
	*v1.Event
	rev  store.Revision
	size int // what it takes of the stream's bytes, or a little less
}

// stamp is when an event was written.
type stamp struct {
	ref schemas.Ref
	rev store.Revision
}

// overhead is what the stream counts for an event besides its subject and text.
const overhead = 22

// bounded are events that are no more than the stream keeps: when that is full it drops the
// oldest ones without a word. Not safe for concurrent use.
type bounded struct {
	most  int
	all   map[schemas.Ref]held
	order []stamp // as they were written; some are no more
	size  int
}

func newBounded(most int) *bounded {
	return &bounded{most: most, all: map[schemas.Ref]held{}}
}

// put takes in an event, and returns those that the stream has no room for any more.
func (b *bounded) put(ref schemas.Ref, h held) (over []schemas.Ref) {
	b.size += h.size - b.all[ref].size
	b.all[ref] = h
	b.order = append(b.order, stamp{ref, h.rev})
	for b.size > b.most && len(b.order) > 1 {
		oldest := b.order[0]
		b.order = b.order[1:]
		if b.all[oldest.ref].rev == oldest.rev {
			over = append(over, oldest.ref)
			b.size -= b.all[oldest.ref].size // the caller removes it
			b.all[oldest.ref] = held{Event: b.all[oldest.ref].Event}
		}
	}
	if len(b.order) > 2*len(b.all)+1024 { // events that were counted up or deleted
		next := make([]stamp, 0, len(b.all))
		for _, s := range b.order {
			if b.all[s.ref].rev == s.rev {
				next = append(next, s)
			}
		}
		b.order = next
	}
	return over
}

// remove forgets an event and returns it, nil if it is not there.
func (b *bounded) remove(ref schemas.Ref) *v1.Event {
	h := b.all[ref]
	b.size -= h.size
	delete(b.all, ref)
	return h.Event
}
