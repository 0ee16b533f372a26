package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
)

// remote is a stream as it is seen from afar: while one answer is on its way others write two messages, as long as they
// do not rest. Answers that are under way at the same time take no longer than one.
type remote struct {
	wire  chan *nats.Msg
	last  Revision
	asked int
	time  float64 // in answers that come one after the other
}

var errTooLong = errors.New("asked too often")

func (r *remote) passes(t float64) {
	for whole := int(r.time); whole < int(r.time+t); whole++ {
		if whole%100 < 80 {
			r.last += 2
		}
	}
	r.time += t
}

func (r *remote) send(m *nats.Msg) error {
	if r.asked++; r.asked > 100_000 {
		return errTooLong
	}
	r.passes(1 / float64(len(r.wire)+1))
	var q directGet
	if err := json.Unmarshal(m.Data, &q); err != nil {
		return err
	}
	answer := nats.NewMsg(m.Reply)
	if q.Seq > r.last {
		answer.Header.Set(headerStatus, "404")
	} else {
		answer.Header.Set(headerSubject, fmt.Sprintf("$KV.state.desired.pods.ns.o%d", q.Seq))
		answer.Header.Set(headerSequence, fmt.Sprint(q.Seq))
	}
	r.wire <- answer
	return nil
}

// TestSweepCatchesUp: a sweep comes to an end although others write more quickly than it could ask for one message
// after the other.
func TestSweepCatchesUp(t *testing.T) {
	s := &Store{bucket: bus.BucketState}
	r := &remote{wire: make(chan *nats.Msg, sweepers), last: 30_000}
	var found []record
	take := func(part []record) error { found = append(found, part...); return nil }
	w := &sweep{store: s, subject: ">", inbox: "inbox", wire: r.wire, hand: take, caught: nothing, send: r.send, attempt: context.WithCancel, newest: func(context.Context) (Revision, error) {
		r.passes(1)
		return r.last, nil
	}}
	if err := w.all(t.Context(), 1); err != nil {
		t.Fatalf("after %d requests, %d messages of %d: %v", r.asked, len(found), r.last, err)
	}
	seen := map[Revision]bool{}
	for _, f := range found {
		seen[f.Revision] = true
	}
	if !slices.IsSortedFunc(found, func(a, b record) int { return cmp.Compare(a.Revision, b.Revision) }) {
		t.Error("not in the order of revisions")
	}
	if len(seen) != len(found) || len(seen) < 30_000 || !seen[1] || !seen[Revision(len(seen))] {
		t.Errorf("read %d messages, %d of them different", len(found), len(seen))
	}
}
