package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

// stateResource stands in the subject of VerbState, whose filters may be of any.
var stateResource = schemas.Resource{Plural: "state"}

// stateHead is the first line of a state list; the entries follow, one a line.
type stateHead struct {
	Revision store.Revision `json:"revision"`
	Count    int            `json:"count"`
	// Asked: whether something is newer was asked, and Newer is the answer.
	Asked bool           `json:"asked,omitempty"`
	Newer store.Revision `json:"newer,omitempty"`
}

type stateLine struct {
	Key      bus.Key         `json:"key"`
	Revision store.Revision  `json:"rev"`
	Created  *time.Time      `json:"time,omitempty"`
	Deleted  bool            `json:"deleted,omitempty"`
	Value    json.RawMessage `json:"value,omitempty"`
	// Bytes is the value if it is not JSON.
	Bytes []byte `json:"bytes,omitempty"`
}

// EncodeState renders what VerbState returns: entries and the bucket's last revision.
func EncodeState(entries []store.Entry, rev store.Revision) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	if err := enc.Encode(stateHead{Revision: rev, Count: len(entries)}); err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	for _, e := range entries {
		l := stateLine{Key: e.Key, Revision: e.Revision, Deleted: e.Deleted}
		if !e.Created.IsZero() {
			l.Created = &e.Created
		}
		switch {
		case e.Deleted:
		case compact(e.Value):
			l.Value = e.Value
		default:
			l.Bytes = e.Value
		}
		if err := enc.Encode(l); err != nil {
			return nil, fmt.Errorf("encode state of %s: %w", e.Key, err)
		}
	}
	return b.Bytes(), nil
}

// EncodeNewer renders what VerbState returns if Since is set: a revision after it under the
// filters, 0 if there is none, and the bucket's last revision.
func EncodeNewer(newer, last store.Revision) ([]byte, error) {
	b, err := json.Marshal(stateHead{Revision: last, Asked: true, Newer: newer})
	if err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	return b, nil
}

// compact tells whether b is JSON that comes back byte by byte.
func compact(b []byte) bool {
	if !json.Valid(b) || bytes.Equal(b, []byte("null")) {
		return false
	}
	again, err := json.Marshal(json.RawMessage(b))
	return err == nil && bytes.Equal(again, b)
}

// DecodeState undoes EncodeState.
func DecodeState(b []byte) ([]store.Entry, store.Revision, error) {
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, len(b)+1)
	if !lines.Scan() {
		return nil, 0, fmt.Errorf("decode state: empty")
	}
	var h stateHead
	if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
		return nil, 0, fmt.Errorf("decode state: %w", err)
	}
	var entries []store.Entry
	for lines.Scan() {
		var l stateLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return nil, 0, fmt.Errorf("decode state, entry %d: %w", len(entries), err)
		}
		e := store.Entry{Key: l.Key, Revision: l.Revision, Deleted: l.Deleted, Value: l.Value}
		if l.Bytes != nil {
			e.Value = l.Bytes
		}
		if l.Created != nil {
			e.Created = *l.Created
		}
		switch {
		case e.Deleted:
			e.Value = nil
		case e.Value == nil:
			e.Value = []byte{}
		}
		entries = append(entries, e)
	}
	if err := lines.Err(); err != nil {
		return nil, 0, fmt.Errorf("decode state: %w", err)
	}
	if len(entries) != h.Count {
		return nil, 0, fmt.Errorf("decode state: %d entries of %d", len(entries), h.Count)
	}
	return entries, h.Revision, nil
}

// StateLister lists state keys through the apiserver: how an agent sees its work orders.
func (c *Client) StateLister() store.Lister { return stateLister{c} }

type stateLister struct{ c *Client }

func (l stateLister) List(ctx context.Context, filters ...string) ([]store.Entry, store.Revision, error) {
	reply, err := l.c.Do(ctx, &Request{Verb: VerbState, Resource: stateResource, Filters: filters})
	if err != nil {
		return nil, 0, err
	}
	return DecodeState(reply.Body)
}

// Newer implements store.Asker.
func (l stateLister) Newer(ctx context.Context, since store.Revision, filters ...string) (newer, last store.Revision, err error) {
	reply, err := l.c.Do(ctx, &Request{Verb: VerbState, Resource: stateResource, Filters: filters, Since: since})
	if err != nil {
		return 0, 0, err
	}
	head, _, _ := bytes.Cut(reply.Body, newline)
	var h stateHead
	if err := json.Unmarshal(head, &h); err != nil {
		return 0, 0, fmt.Errorf("decode state: %w", err)
	}
	if !h.Asked { // an older apiserver, which lists: so does the caller
		return max(h.Revision, since+1), max(h.Revision, since+1), nil
	}
	return h.Newer, h.Revision, nil
}
