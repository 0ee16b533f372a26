package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
)

// Get returns the key's newest entry straight from the stream, or ErrNotFound. With
// ErrNotFound, the entry's Revision is that of the delete marker if there is one.
func (s *Store) Get(ctx context.Context, k bus.Key) (Entry, error) {
	r, err := s.get(ctx, k)
	if err != nil {
		return Entry{}, fmt.Errorf("get %s: %w", k, err)
	}
	if r.Revision == 0 || r.Deleted {
		return r.Entry, fmt.Errorf("get %s: %w", k, ErrNotFound)
	}
	return r.Entry, nil
}

// get returns the newest record of k, with Revision 0 if there is none.
func (s *Store) get(ctx context.Context, k bus.Key) (record, error) {
	if s.via != nil {
		rs, err := s.getVia(ctx, k)
		return rs[k], err
	}
	m, err := s.directMsg(directGet{LastFor: s.subject(string(k))})
	if err != nil {
		return record{}, err
	}
	reply, err := s.request(ctx, m)
	if err != nil {
		return record{}, err
	}
	switch status := reply.Header.Get(headerStatus); status {
	case "":
		r, err := s.decode(reply)
		if err == nil {
			r.Carried, err = carried(reply.Header)
		}
		return r, err
	case "404":
		return record{Entry: Entry{Key: k}}, nil
	default:
		return record{}, fmt.Errorf("server answered %s %s", status, reply.Header.Get("Description"))
	}
}

// getMany returns the newest records of keys; keys without one are missing. It asks for as
// many at once as one request takes: beyond, a list would read all that is beside them.
func (s *Store) getMany(ctx context.Context, keys []string) (map[bus.Key]record, error) {
	if s.via != nil {
		bk := make([]bus.Key, len(keys))
		for i, k := range keys {
			bk[i] = bus.Key(k)
		}
		return s.getVia(ctx, bk...)
	}
	found := make(map[bus.Key]record, len(keys))
	for part := range slices.Chunk(keys, multiLimit) {
		records, _, err := s.list(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			found[r.Key] = r
		}
	}
	return found, nil
}

// getVia reads through the lister, which does not tell write ids.
func (s *Store) getVia(ctx context.Context, keys ...bus.Key) (map[bus.Key]record, error) {
	filters := make([]string, len(keys))
	for i, k := range keys {
		filters[i] = string(k)
	}
	entries, _, err := s.via.List(ctx, filters...)
	if err != nil {
		return nil, err
	}
	found := make(map[bus.Key]record, len(entries))
	for _, e := range entries {
		found[e.Key] = record{Entry: e}
	}
	return found, nil
}

// History returns up to limit entries of one key, the newest ones, oldest first
// (buckets that keep more than one value per key: revisions). Limit 0 is all.
// Delete markers are left out.
func (s *Store) History(ctx context.Context, k bus.Key, limit int) ([]Entry, error) {
	var entries []Entry
	err := s.scan(ctx, s.subject(string(k)), func(part []record) error {
		for _, r := range part {
			if !r.Deleted {
				entries = append(entries, r.Entry)
			}
		}
		return nil
	}, nothing)
	if err != nil {
		return nil, fmt.Errorf("read history of %s: %w", k, err)
	}
	if limit > 0 && len(entries) > limit {
		entries = entries[len(entries)-limit:]
	}
	return entries, nil
}

// lastCall shares requests for the last revision. A caller may only share one that
// began after it asked, or it could miss its own write: whoever comes while one
// is under way waits for the next.
type lastCall struct {
	mu      sync.Mutex
	running bool
	next    *lastResult
}

type lastResult struct {
	done chan struct{}
	rev  Revision
	err  error
}

// Last returns the bucket's last revision. Concurrent callers share a request.
func (s *Store) Last(ctx context.Context) (Revision, error) {
	c := &s.last
	c.mu.Lock()
	if c.next == nil {
		c.next = &lastResult{done: make(chan struct{})}
	}
	r := c.next
	if !c.running {
		c.running = true
		// The request is bounded by attemptTimeout, and ends with the last waiter's.
		go s.runLast()
	}
	c.mu.Unlock()
	select {
	case <-r.done:
		return r.rev, r.err
	case <-ctx.Done():
		return 0, fmt.Errorf("ask for the last revision: %w", ctx.Err())
	}
}

func (s *Store) runLast() {
	c := &s.last
	for {
		c.mu.Lock()
		r := c.next
		c.next = nil
		if r == nil {
			c.running = false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		r.rev, r.err = s.askLast(context.Background())
		close(r.done)
	}
}

// askLast asks the stream's leader: a replica may lag.
func (s *Store) askLast(ctx context.Context) (Revision, error) {
	reply, err := s.request(ctx, nats.NewMsg("$JS.API.STREAM.INFO."+s.stream()))
	if err != nil {
		return 0, fmt.Errorf("ask for the last revision: %w", err)
	}
	var info struct {
		Error *serverError `json:"error"`
		State struct {
			LastSeq Revision `json:"last_seq"`
		} `json:"state"`
	}
	if err := json.Unmarshal(reply.Data, &info); err != nil {
		return 0, fmt.Errorf("ask for the last revision: decode answer: %w", err)
	}
	if info.Error != nil {
		return 0, fmt.Errorf("ask for the last revision: %w", info.Error)
	}
	return info.State.LastSeq, nil
}
