// Package store is a typed key-value store on JetStream: get, list, create,
// compare-and-swap, delete, atomic batches, and watches that lose nothing.
//
// It reads and writes the buckets state, revisions and leases, and the stream of
// events. What always holds: an acknowledged write is on disk (given a server that
// syncs), every write names the revision it replaces, a write whose outcome cannot
// be told says so, and a watch reports each key's newest value whatever the
// connection did meanwhile.
package store

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/nats-io/nuid"

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
	// ErrUnknown: the write was sent, and whether it was stored cannot be told (the
	// connection went, and the key has moved on or cannot be read). The caller
	// reads again and decides.
	ErrUnknown = errors.New("outcome unknown")
)

// Entry is one key's value at a revision.
type Entry struct {
	Key      bus.Key
	Value    []byte // nil if Deleted
	Revision Revision
	Deleted  bool // a delete marker
	Created  time.Time
	// Carried is what the write carried along, where a single key was read (Get).
	Carried []byte
}

// Op is one write of a batch. Value nil deletes. Revision is what the key must be
// at: 0 means it must not exist (a delete marker counts as not existing).
type Op struct {
	Key      bus.Key
	Value    []byte
	Revision Revision
	// TTL lets the server remove the value after this long; 0 keeps it.
	TTL time.Duration
	// Carry is stored with the value, by the same sync, for as long as that is the key's: what
	// must not be lost before somebody has put it elsewhere. At most MaxCarry bytes.
	Carry []byte
}

// MaxCarry is the most that a write carries along: headers have 64 KiB, of which base64 takes a third more.
const MaxCarry = 16 << 10

// Lister lists the current entries under filters. *Store is one; agents, which may
// not read the stream, list through the apiserver.
type Lister interface {
	// List returns the newest entry of every key that matches a filter (NATS
	// wildcards), delete markers included, sorted by revision, and the bucket's
	// last revision that the list reflects.
	List(ctx context.Context, filters ...string) ([]Entry, Revision, error)
}

// Asker tells whether a list would have something new, which costs much less than the list:
// of a list the server reads every block that holds one of its keys.
type Asker interface {
	// Newer returns a revision after since of a key that matches a filter, 0 if there is
	// none, and the bucket's last revision.
	Newer(ctx context.Context, since Revision, filters ...string) (newer, last Revision, err error)
}

// Store is one bucket. Safe for concurrent use.
type Store struct {
	conn   *bus.Conn
	bucket string
	via    Lister // nil: read the stream directly
	writes string // prefix of this store's write ids
	group  *group // nil if the bucket takes no atomic batches
	last   lastCall
	serial counter
	front  atomic.Pointer[front] // of the last watch of everything; nil if there was none
	idle   time.Duration         // between a watch's looks for what it may have missed
	many   Revision              // sweepFrom
}

// New returns the bucket. It does no I/O; Provision creates the streams.
func New(conn *bus.Conn, bucket string) *Store {
	s := &Store{conn: conn, bucket: bucket, writes: nuid.Next(), idle: checkEvery, many: sweepFrom}
	if bucket == bus.BucketState || bucket == bus.BucketRevisions {
		s.group = &group{store: s}
	}
	return s
}

// NewVia returns the bucket for a user who may write to it but not read the stream:
// every read, those that decide an unclear write included, goes through l.
func NewVia(conn *bus.Conn, bucket string, l Lister) *Store {
	s := New(conn, bucket)
	s.via = l
	return s
}

// Create writes a key that must not exist; ErrConflict if it does.
func (s *Store) Create(ctx context.Context, k bus.Key, value []byte) (Revision, error) {
	return s.Apply(ctx, Op{Key: k, Value: value})
}

// Update replaces the value at rev; ErrConflict if the key has moved on.
func (s *Store) Update(ctx context.Context, k bus.Key, value []byte, rev Revision) (Revision, error) {
	return s.Apply(ctx, Op{Key: k, Value: value, Revision: rev})
}

// Delete leaves a delete marker, which the server removes after two minutes.
func (s *Store) Delete(ctx context.Context, k bus.Key, rev Revision) (Revision, error) {
	return s.Apply(ctx, Op{Key: k, Revision: rev})
}
