package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
)

const (
	// maxBehind is how many lists in a row may be older than what was already seen
	// before that means that the bucket was made anew, and not that a lister lags.
	maxBehind = 3
	// stragglers is how long after a list older changes may still arrive.
	stragglers = 5 * time.Second
)

// read lists, and tells of it step by step: that it begins, its parts, its end. What the stream's
// leader has now must be in it: a replica that lags could answer with less than what the
// subscriptions were too late for.
func (w *watch) read(ctx context.Context) {
	tell := func(l listed) error {
		select {
		case w.lists <- l:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	rev, err := w.readTo(ctx, tell)
	w.lists <- listed{end: true, rev: rev, err: err} // run waits for it
}

func (w *watch) readTo(ctx context.Context, tell func(listed) error) (Revision, error) {
	if err := w.store.flush(ctx); err != nil {
		return 0, err
	}
	if !w.direct {
		entries, rev, err := w.lister.List(ctx, w.filters...)
		if err == nil {
			err = tell(listed{begin: true, rev: rev})
		}
		if err == nil {
			err = tell(listed{entries: entries})
		}
		return rev, err
	}
	last, err := w.store.Last(ctx)
	if err != nil {
		return 0, err
	}
	if err := tell(listed{begin: true, rev: last}); err != nil {
		return 0, err
	}
	rev, err := w.store.listTo(ctx, w.filters, func(part []record) error {
		entries := make([]Entry, len(part))
		for i, r := range part {
			entries[i] = r.Entry
		}
		return tell(listed{entries: entries})
	}, func() error { return tell(listed{caught: true}) })
	if err == nil && rev < last {
		err = fmt.Errorf("list is of revision %d, the bucket at %d: %w", rev, last, errBusy)
	}
	return rev, err
}

// flush returns when the server has handled what was sent, subscriptions above all.
func (s *Store) flush(ctx context.Context) error {
	if !s.conn.NC.IsConnected() {
		return bus.ErrUnreachable
	}
	ctx, stop := s.attempt(ctx)
	defer stop()
	if err := s.conn.NC.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("flush: %w", requestError(ctx, err))
	}
	return nil
}

// list takes in a step of a list: the difference to what is known goes to the reader, then the
// changes that came in the meantime.
func (w *watch) list(l listed) {
	switch {
	case l.begin:
		w.lags = l.rev < w.state.seen && !w.direct && w.behind < maxBehind
		if !w.lags {
			w.state.begin(l.rev)
		}
	case l.caught:
		w.caughtUp()
	case !l.end && !w.lags:
		w.fresh = w.state.take(l.entries)
	case l.end:
		w.busy = false
		w.listEnd(l)
	}
}

// caughtUp: all that came before now is in what the list has yet to bring, or had already, if it
// came over the connection that the list began on.
func (w *watch) caughtUp() {
	w.early.reset()
	w.lost()
	if w.store.conn.NC.Stats().Reconnects == w.epoch {
		w.dirty = false
	}
}

func (w *watch) listEnd(l listed) {
	switch {
	case l.err != nil:
		w.store.conn.Log.Debug("list for a watch failed", "bucket", w.store.bucket, "filters", w.filters, "error", l.err)
		w.state.abandon()
		w.retry()
		return
	case w.lags:
		w.behind++
		w.retry()
		return
	}
	w.behind, w.gap, w.listAt = 0, 0, time.Now()
	mark := Event{Entry: Entry{Revision: max(w.state.seen, l.rev)}, Synced: !w.synced, Progress: w.synced}
	w.fresh = append(w.state.end(l.rev), mark)
	w.synced = true
	if w.early.overflowed() || w.lost() {
		w.dirty = true
	}
	for r, ok := w.early.first(); ok && !w.dirty && w.live(r); r, ok = w.early.first() {
		w.early.pop()
	}
}

// message takes one message from the wire. While a list is due nothing goes to the
// reader: it would run ahead of what was missed.
func (w *watch) message(m *nats.Msg) {
	w.handled++
	// Only a full channel makes the client drop messages.
	if len(w.wire) >= cap(w.wire)-1 && w.lost() {
		w.dirty = true
	}
	// A new connection's first messages may come before its hook ran.
	if w.store.conn.NC.Stats().Reconnects != w.epoch {
		w.dirty = true
	}
	r, err := w.store.decode(m)
	if err != nil {
		w.store.conn.Log.Warn("watch: skip a message", "subject", m.Subject, "error", err)
		return
	}
	if w.busy || w.dirty || !w.synced || !w.live(r) {
		w.early.push(r, len(r.Value))
	}
}

// live takes one change that is newer than the last list, or should be. It returns
// false if the change has to wait for another list.
func (w *watch) live(r record) (taken bool) {
	if w.held.full() {
		w.dirty = true
		return false
	}
	e, gap, stale := w.state.apply(r)
	switch {
	case gap:
		w.dirty = true
		return false
	case stale:
		// In order, one connection brings nothing old: the bucket may be a new one.
		w.dirty = w.dirty || time.Since(w.listAt) > stragglers
		return true
	}
	w.held.push(e, len(e.Value))
	return true
}

// check looks, now and then, for what neither the wire nor a reconnect told.
func (w *watch) check(ctx context.Context) {
	if !w.synced {
		return // the first list is due or under way: there is nothing to look for yet
	}
	if w.lost() || w.asker == nil || !w.direct && time.Since(w.listAt) > relistEvery {
		w.dirty = true
	}
	if w.missed > w.state.seen {
		w.dirty = true
	}
	w.missed = 0
	if w.dirty || w.busy || w.asking {
		return
	}
	w.asking = true
	seen := w.state.seen
	go func() { w.checks <- w.ask(ctx, seen) }()
}

type checked struct {
	seen  Revision // what had been seen when the check began
	last  Revision // the bucket's last revision
	newer Revision // a matching revision after seen, if there is one
	err   error
}

// ask asks whether anything that matches is newer than seen.
func (w *watch) ask(ctx context.Context, seen Revision) checked {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	c := checked{seen: seen}
	c.newer, c.last, c.err = w.asker.Newer(ctx, seen, w.filters...)
	return c
}

// Newer implements Asker.
func (s *Store) Newer(ctx context.Context, since Revision, filters ...string) (newer, last Revision, err error) {
	if last, err = s.Last(ctx); err != nil || last <= since {
		return 0, last, err
	}
	for _, f := range filters {
		m, err := s.directMsg(directGet{NextFor: s.subject(f), Seq: since + 1})
		if err != nil {
			return 0, last, err
		}
		reply, err := s.request(ctx, m)
		if err != nil {
			return 0, last, err
		}
		if n, err := strconv.ParseUint(reply.Header.Get(headerSequence), 10, 64); err == nil {
			newer = max(newer, Revision(n))
		}
	}
	return newer, last, nil
}

// checked acts on the answer; again asks for another look soon: what the bucket has
// may still be on its way here.
func (w *watch) checked(c checked) (again bool) {
	switch {
	case c.err != nil: // a lost connection shows itself
	case c.last < c.seen:
		w.dirty = true
	case c.newer > w.state.seen:
		w.missed = c.newer
		return true
	case c.newer == 0 && c.last >= w.state.seen && !w.busy:
		w.state.seen = c.last
		w.held.push(Event{Entry: Entry{Revision: c.last}, Progress: true}, 0)
	}
	return false
}
