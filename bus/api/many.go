package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/schemas"
)

// MaxMany is how many objects one createmany or deletemany is about, at most.
const MaxMany = 500

// Brief is what a reply to many says of one object: which it is now, or why it is not.
type Brief struct {
	Name            schemas.Name `json:"name,omitempty"`
	UID             types.UID    `json:"uid,omitempty"`
	ResourceVersion string       `json:"resourceVersion,omitempty"`
	// Status is the error of this object; the others are not affected.
	Status *metav1.Status `json:"status,omitempty"`
}

// Err is the object's error, nil if there is none.
func (b Brief) Err() error {
	if b.Status == nil {
		return nil
	}
	data, err := json.Marshal(b.Status)
	if err != nil {
		return fmt.Errorf("encode status: %w", err)
	}
	return status.Decode(data)
}

// Removal is one line of a deletemany.
type Removal struct {
	Name   schemas.Name         `json:"name"`
	Delete metav1.DeleteOptions `json:"delete"`
}

// CreateMany creates objects of one namespace, each for itself as Create would: one
// message each way, and one synced batch for all. Unknown fields are dropped.
func (c *Client) CreateMany(ctx context.Context, r schemas.Resource, ns schemas.Namespace, objs []schemas.Object) ([]Brief, error) {
	lines := make([][]byte, len(objs))
	for i, o := range objs {
		var err error
		if lines[i], err = encodeObject(c.table, r, o); err != nil {
			return nil, err
		}
	}
	return c.many(ctx, VerbCreateMany, r, ns, lines)
}

// DeleteMany deletes objects of one namespace, each for itself as Delete would.
func (c *Client) DeleteMany(ctx context.Context, r schemas.Resource, ns schemas.Namespace, which []Removal) ([]Brief, error) {
	lines := make([][]byte, len(which))
	for i, w := range which {
		var err error
		if lines[i], err = json.Marshal(w); err != nil {
			return nil, fmt.Errorf("encode removal: %w", err)
		}
	}
	return c.many(ctx, VerbDeleteMany, r, ns, lines)
}

func (c *Client) many(ctx context.Context, v Verb, r schemas.Resource, ns schemas.Namespace, lines [][]byte) ([]Brief, error) {
	reply, err := c.Do(ctx, &Request{Verb: v, Resource: r, Namespace: ns, FieldValidation: "Ignore", Body: bytes.Join(lines, newline)})
	if err != nil {
		return nil, err
	}
	out := make([]Brief, 0, len(lines))
	for line := range bytes.SplitSeq(reply.Body, newline) {
		var b Brief
		if err := json.Unmarshal(line, &b); err != nil {
			return nil, fmt.Errorf("decode reply to %s: %w", v, err)
		}
		out = append(out, b)
	}
	if len(out) != len(lines) {
		return nil, fmt.Errorf("decode reply to %s: %d lines for %d objects", v, len(out), len(lines))
	}
	return out, nil
}

// newline separates the lines: JSON as it is encoded here has none in it.
var newline = []byte{'\n'}

// EncodeBriefs renders the reply's body.
func EncodeBriefs(briefs []Brief) ([]byte, error) {
	var b bytes.Buffer
	for i, one := range briefs {
		line, err := json.Marshal(one)
		if err != nil {
			return nil, fmt.Errorf("encode reply: %w", err)
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.Write(line)
	}
	return b.Bytes(), nil
}

// Each does one request for each line of r, a createmany or deletemany, all at once:
// a server's half. do answers one create or delete, which asks for a Brief. If it panics, so does Each.
func Each(ctx context.Context, r *Request, do func(context.Context, *Request) (*Reply, error)) ([]Brief, error) {
	lines := bytes.Split(r.Body, newline)
	if len(lines) > MaxMany {
		return nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("%s: %d objects, at most %d", r.Verb, len(lines), MaxMany))
	}
	briefs := make([]Brief, len(lines))
	var all sync.WaitGroup
	var panics Panics
	for i, line := range lines {
		one := *r
		one.Brief, one.Body, one.Verb = true, line, VerbCreate
		if r.Verb == VerbDeleteMany {
			var w Removal
			if err := json.Unmarshal(line, &w); err != nil {
				return nil, apierrors.NewBadRequest(fmt.Sprintf("line %d: %v", i+1, err))
			}
			one.Verb, one.Body, one.Name, one.Delete = VerbDelete, nil, w.Name, &w.Delete
		}
		all.Go(func() {
			defer panics.Catch()
			briefs[i] = briefOf(do(ctx, &one))
		})
	}
	all.Wait()
	panics.Raise()
	return briefs, nil
}

func briefOf(reply *Reply, err error) (b Brief) {
	switch {
	case err != nil:
	case reply.Brief != nil:
		return *reply.Brief
	default:
		err = json.Unmarshal(reply.Body, &b)
	}
	if err != nil {
		st := status.Of(err)
		return Brief{Status: &st}
	}
	return b
}
