package api

import (
	"context"
	"errors"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/schemas"
)

// Watch calls f with each event from o.ResourceVersion on until ctx ends, f fails or
// the server ends it (nil). f gets ADDED, MODIFIED, DELETED and, if o allows them,
// BOOKMARK. 410 Gone arrives as a Status error: list again.
func (c *Client) Watch(ctx context.Context, r schemas.Resource, ns schemas.Namespace, o metav1.ListOptions, f func(eventType string, obj schemas.Object) error) error {
	return c.WatchRaw(ctx, r, ns, o, func(e WatchEvent) error {
		obj, err := decodeObject(c.table, r, e.Object)
		if err != nil {
			return err
		}
		return f(e.Type, obj)
	})
}

// WatchRaw is Watch without decoding the objects.
func (c *Client) WatchRaw(ctx context.Context, r schemas.Resource, ns schemas.Namespace, o metav1.ListOptions, f func(WatchEvent) error) error {
	w, err := c.OpenWatch(ctx, &Request{Resource: r, Namespace: ns, List: &o})
	if err != nil {
		return err
	}
	defer w.Close()
	for {
		b, err := w.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		e, err := decodeEvent(b)
		if err != nil {
			return fmt.Errorf("watch %s: %w", r, err)
		}
		if e.Type == string(watch.Error) {
			return fmt.Errorf("watch %s: %w", r, status.Decode(e.Object))
		}
		if err := f(e); err != nil {
			return err
		}
	}
}

// Watching is a watch whose events its owner takes as they came.
type Watching struct {
	st   *stream.Stream
	what schemas.Resource
}

// OpenWatch begins the watch r and returns when the apiserver has admitted it. The
// caller closes it.
func (c *Client) OpenWatch(ctx context.Context, r *Request) (*Watching, error) {
	w := *r
	w.Verb = VerbWatch
	st, err := c.dialWatch(ctx, &w)
	if err != nil {
		return nil, err
	}
	return &Watching{st: st, what: r.Resource}, nil
}

// Next returns the next event as JSON, {"type": …, "object": …}, which is how the
// Kubernetes API has it; io.EOF when the apiserver ended the watch in order.
func (w *Watching) Next(ctx context.Context) ([]byte, error) {
	b, err := w.st.RecvMessage(ctx, maxReply)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("watch %s: %w", w.what, err)
	}
	return b, err
}

// Arrival returns a channel from which something can be received when Next may have something
// to return, or after Nudge. A watch that waits for it takes less memory than one in Next.
func (w *Watching) Arrival() <-chan struct{} { return w.st.Arrival() }

// Nudge has who waits for Arrival look up.
func (w *Watching) Nudge() { w.st.Nudge() }

// Pending tells whether Next has something to return.
func (w *Watching) Pending() bool { return w.st.Pending() }

// Close ends the watch.
func (w *Watching) Close() { _ = w.st.Close() }

// dialWatch opens the stream, waiting for an apiserver for up to RetryFor.
func (c *Client) dialWatch(ctx context.Context, r *Request) (*stream.Stream, error) {
	head, err := encodeRequest(r, 0)
	if err != nil {
		return nil, err
	}
	subject := bus.APISubject(c.conn.User, string(VerbWatch), r.Resource)
	retry := c.retries()
	for {
		st, err := stream.Dial(ctx, c.conn, subject, head)
		if err == nil {
			return st, nil
		}
		refused := apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err)
		if !errors.Is(err, bus.ErrUnreachable) && !refused || !retry.wait(ctx) {
			return nil, fmt.Errorf("%s: %w", what(r), err)
		}
	}
}
