// Package store is a typed key-value store on JetStream: get, list, create,
// compare-and-swap, delete, atomic batches, and watches that lose nothing.
//
// It reads and writes the buckets state, revisions and leases. What always
// holds: an acknowledged write is on disk (given a server that syncs), every
// write names the revision it replaces, and a watch reports each key's newest
// value whatever the connection did meanwhile.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/skerry/skerry/bus"
)

// Revision is a stream sequence: one order over a whole bucket.
type Revision uint64

var (
	// ErrNotFound: the key has no value.
	ErrNotFound = errors.New("key not found")
	// ErrConflict: the key is not at the revision that the write named.
	ErrConflict = errors.New("revision conflict")
	// ErrTooLarge: the value is beyond what the bus carries in one message.
	ErrTooLarge = errors.New("value too large")
)

// Entry is one key's value at a revision.
type Entry struct {
	Key      bus.Key
	Value    []byte // nil if Deleted
	Revision Revision
	Deleted  bool // a delete marker
	Created  time.Time
}

// Op is one write of a batch. Value nil deletes. Revision is what the key must be
// at: 0 means it must not exist (a delete marker counts as not existing).
type Op struct {
	Key      bus.Key
	Value    []byte
	Revision Revision
	// TTL lets the server remove the value after this long; 0 keeps it.
	TTL time.Duration
}

// Lister lists the current entries under filters. *Store is one; agents, which may
// not read the stream, list through the apiserver.
type Lister interface {
	// List returns the newest entry of every key that matches a filter (NATS
	// wildcards), delete markers included, sorted by revision, and the bucket's
	// last revision that the list reflects.
	List(ctx context.Context, filters ...string) ([]Entry, Revision, error)
}

// Store is one bucket. Safe for concurrent use.
type Store struct {
	conn   *bus.Conn
	bucket string
}

// New returns the bucket. It does no I/O; Provision creates the streams.
func New(conn *bus.Conn, bucket string) *Store { return &Store{conn: conn, bucket: bucket} }

// Provision creates or updates the buckets and streams that Skerry needs: state
// (atomic batches, message TTLs, republished to watch.state.>), revisions, leases,
// events, audit. Idempotent; needs the apiserver's credentials.
func Provision(ctx context.Context, conn *bus.Conn) error { panic("skeleton") }

// Get returns the key's newest entry straight from the stream, or ErrNotFound.
func (s *Store) Get(ctx context.Context, k bus.Key) (Entry, error) { panic("skeleton") }

// List implements Lister.
func (s *Store) List(ctx context.Context, filters ...string) ([]Entry, Revision, error) {
	panic("skeleton")
}

// Last returns the bucket's last revision. Concurrent callers share a request.
func (s *Store) Last(ctx context.Context) (Revision, error) { panic("skeleton") }

// Create writes a key that must not exist; ErrConflict if it does.
func (s *Store) Create(ctx context.Context, k bus.Key, value []byte) (Revision, error) {
	return s.Apply(ctx, Op{Key: k, Value: value})
}

// Update replaces the value at rev; ErrConflict if the key has moved on.
func (s *Store) Update(ctx context.Context, k bus.Key, value []byte, rev Revision) (Revision, error) {
	return s.Apply(ctx, Op{Key: k, Value: value, Revision: rev})
}

// Delete leaves a delete marker, which the server removes after an hour.
func (s *Store) Delete(ctx context.Context, k bus.Key, rev Revision) (Revision, error) {
	return s.Apply(ctx, Op{Key: k, Revision: rev})
}

// Apply writes all ops or none, in one atomic batch (a single op is a plain
// publish). It returns the revision of the last op; the others are consecutive
// before it. Concurrent single-op Applies may share one batch and one fsync.
func (s *Store) Apply(ctx context.Context, ops ...Op) (Revision, error) { panic("skeleton") }

// History returns up to limit entries of one key, oldest first (buckets that keep
// more than one value per key: revisions).
func (s *Store) History(ctx context.Context, k bus.Key, limit int) ([]Entry, error) {
	panic("skeleton")
}

// Watch watches the keys that match filters. The channel gives first what is
// there (List), then one Event with Synced, then changes in revision order per
// key. It survives reconnects, server restarts and gaps: then it lists again and
// reports the difference (keys that vanished as Deleted). It ends when ctx does;
// Watch returns at once and the goroutine is done when the channel closes.
// lister nil means s itself.
func (s *Store) Watch(ctx context.Context, lister Lister, filters ...string) <-chan Event {
	panic("skeleton")
}

// Event is one change, or the mark that the first list is complete.
type Event struct {
	Entry
	// Synced marks the end of the first list; Entry.Revision is the list's revision.
	Synced bool
	// Progress marks that everything up to Entry.Revision has been delivered,
	// with no change to a watched key. Sent after re-lists and on idle checks.
	Progress bool
}
