package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/skerry/skerry/bus"
)

const (
	// multiLimit is how many filters one request carries. The server answers for at
	// most 1024 keys at once; beyond that the list is a scan.
	multiLimit = 256
	// pageBytes bounds what the server sends at once, well below what it buffers
	// for a client before it drops it.
	pageBytes = 8 << 20
	// pageCount bounds a page of a scan.
	pageCount = 2000
)

// List implements Lister. The list is a snapshot: it holds what the bucket held when
// its last page was read.
//
// A longer list takes several pages. They are read in the order of revisions without
// an upper bound, so a key that changes meanwhile turns up again further on, and
// whoever has reached the end has seen every key's newest entry. (An upper bound
// would lose such keys: the bucket keeps one value per key.)
func (s *Store) List(ctx context.Context, filters ...string) ([]Entry, Revision, error) {
	if s.via != nil {
		return s.via.List(ctx, filters...)
	}
	records, rev, err := s.list(ctx, filters)
	if err != nil {
		return nil, 0, fmt.Errorf("list %s: %w", strings.Join(filters, " "), err)
	}
	entries := make([]Entry, len(records))
	for i, r := range records {
		entries[i] = r.Entry
	}
	return entries, rev, nil
}

func (s *Store) list(ctx context.Context, filters []string) ([]record, Revision, error) {
	var all []record
	rev, err := s.listTo(ctx, filters, func(part []record) error {
		all = append(all, part...)
		return nil
	}, nothing)
	return newestOf(all), rev, err
}

// taker takes in a part of what is read; an error ends the reading.
type taker func(part []record) error

func nothing() error { return nil }

// listTo is a list in parts, in the order of revisions, so that it is nowhere as a whole. A key that changes
// meanwhile may come twice, the later one as it is. caught: see sweep.
func (s *Store) listTo(ctx context.Context, filters []string, take taker, caught func() error) (Revision, error) {
	if len(filters) == 0 {
		return 0, nil
	}
	if len(filters) <= multiLimit {
		records, rev, err := s.listMulti(ctx, filters)
		if err == nil {
			err = take(records)
		}
		if !errors.Is(err, errTooMany) {
			return rev, err
		}
	}
	// What the list reflects is at least this, even if nothing matches.
	floor, err := s.askLast(ctx)
	if err != nil {
		return 0, err
	}
	err = s.scan(ctx, s.subject(cover(filters)), func(part []record) error {
		for _, r := range part {
			floor = max(floor, r.Revision)
		}
		return take(slices.DeleteFunc(part, func(r record) bool {
			return !slices.ContainsFunc(filters, func(f string) bool { return matches(f, string(r.Key)) })
		}))
	}, caught)
	return floor, err
}

// listMulti lists what one multi_last request can: up to 1024 keys.
func (s *Store) listMulti(ctx context.Context, filters []string) ([]record, Revision, error) {
	q := directGet{MultiLast: s.subjects(filters), MaxBytes: pageBytes}
	var all []record
	for {
		p, err := s.pageOf(ctx, q)
		if err != nil {
			return nil, 0, err
		}
		all = append(all, p.records...)
		if p.upTo == 0 && len(p.records) == 0 {
			return s.listNone(ctx, q)
		}
		if p.pending == 0 || len(p.records) == 0 {
			return newestOf(all), p.upTo, nil
		}
		q.Seq = p.records[len(p.records)-1].Revision + 1
	}
}

// listNone handles an answer that says that nothing matches, but not as of when: it
// asks for the last revision and then again.
func (s *Store) listNone(ctx context.Context, q directGet) ([]record, Revision, error) {
	last, err := s.askLast(ctx)
	if err != nil {
		return nil, 0, err
	}
	q.Seq = 0
	p, err := s.pageOf(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	if p.pending > 0 {
		return nil, 0, errTooMany // many big values at once: the scan can do it
	}
	return newestOf(p.records), max(last, p.upTo), nil
}

// scan reads every message whose subject matches one filter, in order, and hands them to take. caught: see sweep.
func (s *Store) scan(ctx context.Context, subject string, take taker, caught func() error) error {
	q := directGet{NextFor: subject, Seq: 1, Batch: pageCount, MaxBytes: pageBytes}
	for {
		p, err := s.pageOf(ctx, q)
		if err != nil || len(p.records) == 0 {
			return err
		}
		q.Seq = p.records[len(p.records)-1].Revision + 1
		if err := take(p.records); err != nil || p.pending == 0 {
			return err
		}
		if p.pending > s.many {
			return s.sweep(ctx, subject, q.Seq, take, caught)
		}
	}
}

// newestOf keeps each key's newest record, sorted by revision.
func newestOf(all []record) []record {
	at := make(map[bus.Key]Revision, len(all))
	for _, r := range all {
		at[r.Key] = max(at[r.Key], r.Revision)
	}
	newest := slices.DeleteFunc(all, func(r record) bool { return r.Revision != at[r.Key] })
	slices.SortFunc(newest, func(a, b record) int { return cmp.Compare(a.Revision, b.Revision) })
	return newest
}

// cover returns one filter that matches whatever any of filters does: their common
// leading tokens, and ">".
func cover(filters []string) string {
	if len(filters) == 1 {
		return filters[0]
	}
	common := strings.Split(filters[0], ".")
	common = common[:len(common)-1]
	for _, f := range filters[1:] {
		tokens := strings.Split(f, ".")
		n := 0
		for n < len(common) && n < len(tokens)-1 && common[n] == tokens[n] {
			n++
		}
		common = common[:n]
	}
	return strings.Join(append(slices.Clone(common), ">"), ".")
}

// matches tells whether key matches a filter with NATS' wildcards.
func matches(filter, key string) bool {
	for {
		f, moreFilters, fDot := strings.Cut(filter, ".")
		k, moreKeys, kDot := strings.Cut(key, ".")
		if f == ">" {
			return key != ""
		}
		if f != "*" && f != k || fDot != kDot {
			return false
		}
		if !fDot {
			return true
		}
		filter, key = moreFilters, moreKeys
	}
}
