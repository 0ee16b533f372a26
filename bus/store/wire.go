package store

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
)

// Headers: the first are those of NATS' own key-value buckets, so that its tools
// read ours; headerWrite is ours.
const (
	headerOperation   = "KV-Operation"
	headerMarker      = "Nats-Marker-Reason"
	headerTTL         = "Nats-TTL"
	headerExpect      = "Nats-Expected-Last-Subject-Sequence"
	headerBatch       = "Nats-Batch-Id"
	headerBatchSeq    = "Nats-Batch-Sequence"
	headerBatchCommit = "Nats-Batch-Commit"
	headerSubject     = "Nats-Subject"
	headerSequence    = "Nats-Sequence"
	headerLast        = "Nats-Last-Sequence"
	headerTime        = "Nats-Time-Stamp"
	headerPending     = "Nats-Num-Pending"
	headerUpTo        = "Nats-UpTo-Sequence"
	headerStatus      = "Status"
	// headerWrite marks which write a stored value came from. It decides, after a
	// lost acknowledgement, whether the value found is ours.
	headerWrite = "Skerry-Write"
	// headerCarried holds what a write carries along, in base64: nothing in it can be taken for
	// another header.
	headerCarried = "Skerry-Carried"
)

// markerTTL is how long a delete marker stays: longer than a watch of the stream goes without asking
// whether it missed anything (checkEvery and half of it, and askTimeout), which is what finds a deletion that got
// lost on its way. Who was away for longer finds the key missing from its list, and agents
// ask an apiserver, which remembers. A marker takes the server some 240 bytes of memory, and each list a
// message: 500 pods deleted a second leave 180,000 in this time.
const markerTTL = 2 * time.Minute

// counter numbers the writes of one store.
type counter struct{ n atomic.Uint64 }

// record is an entry as it is on the wire, with what only this package looks at.
type record struct {
	Entry
	write string   // headerWrite
	prev  Revision // revision of the key's entry before this one, if republished
}

// write is an Op on its way, with an identity that its retries share.
type write struct {
	Op
	id     string
	expect Revision // Op.Revision, or that of the delete marker found for 0
}

func (w *write) size() int { return len(w.Value) + len(w.Carry) }

func (s *Store) newWrite(op Op) *write {
	return &write{Op: op, id: s.writes + "." + strconv.FormatUint(s.serial.n.Add(1), 36), expect: op.Revision}
}

func (s *Store) stream() string {
	if s.bucket == bus.StreamEvents {
		return s.bucket
	}
	return "KV_" + s.bucket
}

// subject is where k (or a filter) is stored.
func (s *Store) subject(k string) string {
	if s.bucket == bus.StreamEvents {
		return s.bucket + "." + k
	}
	return bus.KVSubject(s.bucket, bus.Key(k))
}

func (s *Store) subjects(filters []string) []string {
	out := make([]string, len(filters))
	for i, f := range filters {
		out[i] = s.subject(f)
	}
	return out
}

// message renders w. batch is "" or the atomic batch that it is number n of.
func (s *Store) message(w *write, batch string, n int, commit bool) *nats.Msg {
	m := nats.NewMsg(s.subject(string(w.Key)))
	m.Data = w.Value
	h := m.Header
	h.Set(headerExpect, strconv.FormatUint(uint64(w.expect), 10))
	h.Set(headerWrite, w.id)
	ttl := w.TTL
	if w.Value == nil {
		h.Set(headerOperation, "DEL")
		ttl = markerTTL
	}
	if ttl > 0 {
		// The server counts whole seconds: rounding up never expires early.
		h.Set(headerTTL, strconv.FormatInt(int64((ttl+time.Second-1)/time.Second), 10)+"s")
	}
	if len(w.Carry) > 0 {
		h.Set(headerCarried, base64.RawStdEncoding.EncodeToString(w.Carry))
	}
	if batch != "" {
		h.Set(headerBatch, batch)
		h.Set(headerBatchSeq, strconv.Itoa(n))
		if commit {
			h.Set(headerBatchCommit, "1")
		}
	}
	return m
}

// decode reads a republished message or a direct get's.
func (s *Store) decode(m *nats.Msg) (record, error) {
	h := m.Header
	key, ok := strings.CutPrefix(h.Get(headerSubject), s.subject(""))
	if !ok {
		return record{}, fmt.Errorf("decode message: subject %q is not of bucket %s", h.Get(headerSubject), s.bucket)
	}
	seq, err := strconv.ParseUint(h.Get(headerSequence), 10, 64)
	if err != nil {
		return record{}, fmt.Errorf("decode message of %s: sequence: %w", key, err)
	}
	// A copy: the key would keep all the headers in memory, where entries are kept.
	r := record{Entry: Entry{Key: bus.Key(strings.Clone(key)), Revision: Revision(seq)}, write: h.Get(headerWrite), prev: number(h, headerLast)}
	// A time that does not parse stays zero: nothing rests on it.
	r.Created, _ = time.Parse(time.RFC3339Nano, h.Get(headerTime))
	op := h.Get(headerOperation)
	if op == "DEL" || op == "PURGE" || h.Get(headerMarker) != "" {
		r.Deleted = true
		return r, nil
	}
	r.Value = m.Data
	if r.Value == nil {
		r.Value = []byte{}
	}
	return r, nil
}

// carried is what came along with a value.
func carried(h nats.Header) ([]byte, error) {
	text := h.Get(headerCarried)
	if text == "" {
		return nil, nil
	}
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("decode what a value carries: %w", err)
	}
	return b, nil
}

func number(h nats.Header, name string) Revision {
	n, err := strconv.ParseUint(h.Get(name), 10, 64)
	if err != nil {
		return 0
	}
	return Revision(n)
}

// Error codes of the server that a caller's answer depends on.
const (
	codeWrongSequence      = 10071
	codeWrongSequenceConst = 10164
	codeTooLarge           = 10054
	codeIncompleteBatch    = 10176
	codeBatchTooLarge      = 10199 // the server's own limit: jetstream.limits.batch.max_msgs
	codeTooManyBatches     = 10210
)

// serverError is a refusal: the write was not stored.
type serverError struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *serverError) Error() string {
	return fmt.Sprintf("%s (%d)", e.Description, e.ErrCode)
}

// Is lets callers ask for what the code means here.
func (e *serverError) Is(target error) bool {
	switch target {
	case ErrConflict:
		return e.ErrCode == codeWrongSequence || e.ErrCode == codeWrongSequenceConst
	case ErrTooLarge:
		return e.ErrCode == codeTooLarge
	case ErrInvalid:
		return e.ErrCode == codeBatchTooLarge
	case errBusy:
		return e.ErrCode == codeTooManyBatches || e.ErrCode == codeIncompleteBatch
	}
	return false
}

// ack reads a publish acknowledgement: the (last) sequence, or a *serverError.
func ack(data []byte) (Revision, error) {
	var a struct {
		Sequence Revision     `json:"seq"`
		Error    *serverError `json:"error"`
	}
	if err := json.Unmarshal(data, &a); err != nil {
		return 0, fmt.Errorf("decode acknowledgement %q: %w", data, err)
	}
	if a.Error != nil {
		return 0, a.Error
	}
	if a.Sequence == 0 {
		return 0, fmt.Errorf("decode acknowledgement %q: no sequence", data)
	}
	return a.Sequence, nil
}
