package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/schemas"
)

// attemptTimeout bounds one attempt of a request that may be repeated: the replica
// that took it may have died.
const attemptTimeout = 10 * time.Second

// timeoutStep is how exactly a timeout is told, so that requests look the same.
const timeoutStep = 10 * time.Millisecond

// lateReply is how long after a reconnect the reply to a write may still come.
const lateReply = 5 * time.Second

// Client makes requests as the connection's user. Requests time out after 30 s
// unless ctx ends earlier. While no apiserver answers, or all are busy, requests are
// retried for up to RetryFor: reads always, writes only while it is certain that
// nobody got them. A write whose reply is lost fails with a Timeout Status that says so.
type Client struct {
	conn  *bus.Conn
	table *schemas.Table
	// RetryFor bounds waiting for an apiserver; 0 means not to wait.
	RetryFor time.Duration
}

// NewClient returns a client that decodes the kinds in table.
func NewClient(conn *bus.Conn, table *schemas.Table) *Client {
	return &Client{conn: conn, table: table, RetryFor: 5 * time.Second}
}

// Conn is the connection that the client uses.
func (c *Client) Conn() *bus.Conn { return c.conn }

// fate is what is known of an attempt.
type fate int

const (
	answered fate = iota // by a reply, or by an error that repeating does not mend
	untaken              // certainly nobody looked at the request
	unknown              // somebody may have done it
)

// Do sends r (User is ignored: it is the connection's) and returns the raw reply.
func (c *Client) Do(ctx context.Context, r *Request) (*Reply, error) {
	if r.Verb == VerbWatch {
		return nil, errors.New("do: a watch is not one reply; use Watch")
	}
	if len(r.Body) > MaxBody {
		return nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("%s: the body has %d bytes, more than %d", what(r), len(r.Body), MaxBody))
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	retry := c.retries()
	for {
		reply, f, err := c.attempt(ctx, r)
		if err == nil {
			return reply, nil
		}
		if f == answered && r.Verb.readOnly() && apierrors.IsServiceUnavailable(err) {
			f = unknown // that replica is stopping; another one may answer
		}
		if f == answered {
			return nil, err
		}
		if f == untaken && apierrors.IsTooManyRequests(err) {
			retry.yield()
		}
		if (f == untaken || r.Verb.readOnly()) && retry.wait(ctx) {
			continue
		}
		err = explain(r, f, err)
		if cause := caller.Err(); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", err, cause)
		}
		return nil, err
	}
}

// explain is the error of a request that got no answer.
func explain(r *Request, f fate, err error) error {
	switch {
	case f == unknown && !r.Verb.readOnly():
		return apierrors.NewTimeoutError(what(r)+": no answer came; whether it was done is unknown, look before trying again", 0)
	case errors.Is(err, context.DeadlineExceeded):
		return apierrors.NewTimeoutError(what(r)+": the apiserver did not answer in time", 0)
	}
	return fmt.Errorf("%s: %w", what(r), err)
}

// attempt sends r once.
func (c *Client) attempt(ctx context.Context, r *Request) (*Reply, fate, error) {
	grace := lateReply
	if r.Verb.readOnly() {
		grace = 0
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, attemptTimeout)
		defer cancel()
	}
	timeout := requestTimeout
	if d, ok := ctx.Deadline(); ok {
		timeout = max(time.Until(d), time.Millisecond)
	}
	rest, object := apart(r)
	head, err := encodeRequest(rest, max(timeout.Truncate(timeoutStep), time.Millisecond))
	if err != nil {
		return nil, answered, err
	}
	subject := bus.APISubject(c.conn.User, string(r.Verb), r.Resource)
	if int64(len(head)+len(object)+headSlack+len(r.Body)) > c.conn.NC.MaxPayload() {
		if head, err = encodeRequest(r, timeout); err != nil {
			return nil, answered, err
		}
		return c.upload(ctx, subject, head, r.Body)
	}
	m := nats.NewMsg(subject)
	m.Header.Set(headerRequest, string(head))
	if object != "" {
		m.Header.Set(headerObject, object)
	}
	if trace := bus.TraceOf(ctx); trace != "" {
		m.Header.Set(bus.TraceHeader, trace)
	}
	m.Data = r.Body
	reply, err := c.conn.Exchange(ctx, m, grace)
	if err != nil {
		f, err := requestError(err)
		return nil, f, err
	}
	return c.open(ctx, reply)
}

// requestError tells what an error of a NATS request means.
func requestError(err error) (fate, error) {
	lost := fmt.Errorf("%w: %w", bus.ErrUnreachable, err)
	switch {
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionReconnecting):
		return untaken, lost
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return answered, lost // this process closed it: waiting does not help
	case errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrTimeout):
		return unknown, lost
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return unknown, err
	}
	return answered, err
}

// open returns what a reply says, fetching a body that did not fit in.
func (c *Client) open(ctx context.Context, m *nats.Msg) (*Reply, fate, error) {
	if m.Header.Get(stream.HeaderErrorCode) != "" {
		if m.Header.Get(headerBusy) != "" {
			return nil, untaken, status.Decode(m.Data)
		}
		return nil, answered, status.Decode(m.Data)
	}
	head, err := decodeReply([]byte(m.Header.Get(headerReply)))
	if err != nil {
		return nil, answered, err
	}
	reply := &Reply{Body: m.Data, Gzip: head.Gzip, Warnings: head.Warnings, Created: head.Created}
	if head.Stream == "" {
		return reply, answered, nil
	}
	st, err := stream.Take(c.conn, head.Peer, head.Stream)
	if err != nil {
		return nil, unknown, err
	}
	defer st.Close()
	if reply.Body, err = st.RecvMessage(ctx, maxReply); err != nil {
		return nil, unknown, fmt.Errorf("receive reply: %w", err)
	}
	return reply, answered, nil
}

// upload sends a request that one message cannot carry. Nothing is done before
// the whole body has arrived.
func (c *Client) upload(ctx context.Context, subject string, head, body []byte) (*Reply, fate, error) {
	st, err := stream.Dial(ctx, c.conn, subject, head)
	if err != nil {
		if errors.Is(err, bus.ErrUnreachable) || apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err) {
			return nil, untaken, err
		}
		return nil, answered, err
	}
	defer st.Close()
	if err := st.SendMessage(ctx, body); err != nil {
		return nil, untaken, err
	}
	b, err := st.RecvMessage(ctx, maxHead)
	if err != nil {
		return nil, streamFate(err), err
	}
	h, err := decodeReply(b)
	if err != nil {
		return nil, answered, err
	}
	reply := &Reply{Warnings: h.Warnings, Created: h.Created}
	if reply.Body, err = st.RecvMessage(ctx, maxReply); err != nil {
		return nil, unknown, fmt.Errorf("receive reply: %w", err)
	}
	return reply, answered, nil
}

// streamFate tells whether err is the apiserver's answer or the stream's own end.
func streamFate(err error) fate {
	var s apierrors.APIStatus
	if errors.As(err, &s) {
		return answered
	}
	return unknown
}

// retries spreads attempts over RetryFor from the first failure on.
func (c *Client) retries() *retries {
	return &retries{limit: c.RetryFor, delay: 20 * time.Millisecond, most: time.Second}
}

type retries struct {
	limit, delay, most time.Duration
	until              time.Time
}

// yield has the next attempts wait longer, for an apiserver that is asked too much: thousands of
// nodes that come at once and ask again soon keep it busy with refusing them.
func (r *retries) yield() {
	r.delay, r.most = max(r.delay, min(firstYield, r.limit/4)), mostYield
}

const (
	firstYield = 250 * time.Millisecond
	mostYield  = 4 * time.Second
)

// wait waits before the next attempt, or tells that there is none.
func (r *retries) wait(ctx context.Context) bool {
	now := time.Now()
	if r.until.IsZero() {
		r.until = now.Add(r.limit)
	}
	if !now.Before(r.until) || ctx.Err() != nil {
		return false
	}
	delay := r.delay
	r.delay = min(2*r.delay, r.most)
	return pause.About(ctx, delay) == nil
}

// what names r in errors: "create pods default/web".
func what(r *Request) string {
	s := string(r.Verb) + " " + r.Resource.String()
	if r.Subresource != "" {
		s += "/" + r.Subresource
	}
	if r.Namespace == "" && r.Name == "" {
		return s
	}
	if r.Namespace == "" {
		return s + " " + string(r.Name)
	}
	return s + " " + string(r.Namespace) + "/" + string(r.Name)
}

// Kind returns obj's kind: what it says, or what the table has for its Go type.
func (c *Client) Kind(obj schemas.Object) schema.GroupVersionKind {
	if gvk := obj.GetObjectKind().GroupVersionKind(); !gvk.Empty() {
		return gvk
	}
	return kindOf(c.table, obj)
}
