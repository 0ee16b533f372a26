package store

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/pause"
)

const (
	// batchLimit is the most writes of one atomic batch.
	batchLimit = bus.MaxBatch
	// headerRoom is left for headers in the largest message.
	headerRoom = 1024
	// settleTimeout bounds how long a write whose acknowledgement was lost is looked
	// for before its outcome is called unknown.
	settleTimeout = 15 * time.Second
	// maxRefusals bounds retries of a write that the server was too busy for, and of
	// one that met a new delete marker each time.
	maxRefusals = 8
)

// ErrInvalid: the batch can never be written (too many ops, one key twice).
var ErrInvalid = errors.New("invalid batch")

// Apply writes all ops or none, in one atomic batch (a single op is a plain
// publish). It returns the revision of the last op; the others are consecutive
// before it. Concurrent single-op Applies may share one batch and one fsync.
//
// A lost acknowledgement is followed up: the keys are read again and the write is
// repeated only if they have not moved, under the same compare-and-swap, so that it
// is stored at most once. If that fails the error is ErrUnknown.
func (s *Store) Apply(ctx context.Context, ops ...Op) (Revision, error) {
	if err := s.check(ops); err != nil {
		return 0, err
	}
	if len(ops) == 0 {
		return 0, nil
	}
	writes := make([]*write, len(ops))
	for i, op := range ops {
		writes[i] = s.newWrite(op)
	}
	if s.group != nil && len(ops) == 1 {
		return s.group.apply(ctx, writes[0])
	}
	return s.commit(ctx, writes)
}

func (s *Store) check(ops []Op) error {
	if len(ops) > batchLimit {
		return fmt.Errorf("apply %d ops: %w: at most %d", len(ops), ErrInvalid, batchLimit)
	}
	limit := s.conn.NC.MaxPayload()
	seen := make(map[bus.Key]bool, len(ops))
	for _, op := range ops {
		if seen[op.Key] {
			return fmt.Errorf("apply %s: %w: twice in one batch", op.Key, ErrInvalid)
		}
		seen[op.Key] = true
		n := int64(len(op.Value) + base64.RawStdEncoding.EncodedLen(len(op.Carry)))
		if n > limit-headerRoom || len(op.Carry) > MaxCarry {
			return fmt.Errorf("apply %s: %w: %d bytes, at most %d, and %d carried, at most %d", op.Key, ErrTooLarge, n, limit-headerRoom, len(op.Carry), MaxCarry)
		}
	}
	return nil
}

// commit sends writes, together or not at all, until the outcome is known.
func (s *Store) commit(ctx context.Context, writes []*write) (Revision, error) {
	rev, err := s.send(ctx, writes)
	return s.follow(ctx, writes, rev, err)
}

// follow goes on from the answer to writes' first attempt.
func (s *Store) follow(ctx context.Context, writes []*write, rev Revision, err error) (Revision, error) {
	var unclear error // an attempt that may yet turn out to be stored
	for refusals := 0; ; refusals++ {
		var sent sentError
		var again bool
		switch {
		case err == nil:
			return rev, nil
		case errors.As(err, &sent):
			unclear = err
			rev, again, err = s.settle(ctx, writes, err)
		case errors.Is(err, ErrConflict):
			rev, again, err = s.conflict(ctx, writes, err, unclear != nil)
		case errors.Is(err, errBusy):
			if perr := backOff(ctx, refusals+1); perr != nil {
				err = perr
			} else {
				again = true
			}
		}
		if again && refusals < maxRefusals {
			rev, err = s.send(ctx, writes)
			continue
		}
		if err != nil && unclear != nil && !errors.Is(err, ErrUnknown) {
			err = fmt.Errorf("%w: %w: %w", ErrUnknown, unclear, err)
		}
		return rev, applyError(writes, err)
	}
}

func applyError(writes []*write, err error) error {
	if err == nil {
		return nil
	}
	if len(writes) == 1 {
		return fmt.Errorf("apply %s: %w", writes[0].Key, err)
	}
	return fmt.Errorf("apply %s and %d more: %w", writes[0].Key, len(writes)-1, err)
}

// backOff waits longer each time, with jitter.
func backOff(ctx context.Context, attempt int) error {
	return pause.About(ctx, time.Millisecond<<min(attempt, 8))
}

// send publishes writes once and waits for the acknowledgement of the last.
func (s *Store) send(ctx context.Context, writes []*write) (Revision, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if len(writes) == 1 {
		return s.sendMsg(ctx, s.message(writes[0], "", 0, false))
	}
	batch := nuid.Next()
	last := len(writes) - 1
	for i, w := range writes[:last] {
		if !s.conn.NC.IsConnected() {
			return 0, bus.ErrUnreachable
		}
		// Without the commit none of these is stored: an error here is a clear no.
		if err := s.conn.NC.PublishMsg(s.message(w, batch, i+1, false)); err != nil {
			return 0, requestError(ctx, err)
		}
	}
	return s.sendMsg(ctx, s.message(writes[last], batch, last+1, true))
}

func (s *Store) sendMsg(ctx context.Context, m *nats.Msg) (Revision, error) {
	reply, err := s.request(ctx, m)
	if err != nil {
		return 0, err
	}
	return acknowledged(reply.Data)
}

// acknowledged reads an acknowledgement; one that says nothing leaves it open what became
// of the write.
func acknowledged(data []byte) (Revision, error) {
	rev, err := ack(data)
	var refused *serverError
	if err != nil && !errors.As(err, &refused) {
		return 0, sentError{err}
	}
	return rev, err
}

// conflict looks at a refusal. It is not one if the value found is ours (an earlier
// attempt was stored after all), nor if it comes from delete markers that stand for
// keys that must not exist: then the write is repeated on the markers' revisions.
func (s *Store) conflict(ctx context.Context, writes []*write, refused error, unclear bool) (rev Revision, again bool, err error) {
	found, err := s.getMany(ctx, keysOf(writes))
	if err != nil {
		// The refusal is certain; whether it could have been mended is not.
		return 0, false, fmt.Errorf("%w (reading again: %w)", refused, err)
	}
	if rev, ok := stored(writes, found, unclear); ok {
		return rev, false, nil
	}
	mended := false
	for _, w := range writes {
		r := found[w.Key]
		if w.Revision != 0 || r.Revision == w.expect {
			continue
		}
		if r.Revision != 0 && !r.Deleted {
			return 0, false, fmt.Errorf("%w: %s exists at %d", ErrConflict, w.Key, r.Revision)
		}
		w.expect, mended = r.Revision, true
	}
	return 0, mended, refused
}

// settle finds out what became of writes whose acknowledgement did not come. again
// is true if they were not stored (yet): sending them again is safe, because the
// compare-and-swap lets at most one of the two through.
func (s *Store) settle(ctx context.Context, writes []*write, lost error) (rev Revision, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		found, err := s.getMany(ctx, keysOf(writes))
		if err == nil {
			if rev, ok := stored(writes, found, true); ok {
				return rev, false, nil
			}
			for _, w := range writes {
				if r := found[w.Key]; r.Revision == w.expect || w.Revision == 0 && r.Revision == 0 {
					return 0, true, lost
				}
			}
			return 0, false, fmt.Errorf("%w: %w: the key has moved on", ErrUnknown, lost)
		}
		if perr := backOff(ctx, attempt); perr != nil {
			return 0, false, fmt.Errorf("%w: %w: %w", ErrUnknown, lost, err)
		}
	}
}

// stored tells whether writes are what was found, and the last one's revision. One
// write's id is enough: all were stored or none. Where ids are not told (reading
// through a Lister) an unclear write is taken as stored if every key holds its value
// at a later revision.
func stored(writes []*write, found map[bus.Key]record, unclear bool) (Revision, bool) {
	same := unclear
	for i, w := range writes {
		r := found[w.Key]
		if r.write == w.id {
			return r.Revision + Revision(len(writes)-1-i), true
		}
		same = same && r.write == "" && r.Revision > w.expect &&
			r.Deleted == (w.Value == nil) && bytes.Equal(r.Value, w.Value)
	}
	if !same {
		return 0, false
	}
	return found[writes[len(writes)-1].Key].Revision, true
}

func keysOf(writes []*write) []string {
	keys := make([]string, len(writes))
	for i, w := range writes {
		keys[i] = string(w.Key)
	}
	return keys
}
