package api

import (
	"context"
	"strconv"

	"github.com/nats-io/nats.go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/bus/stream"
)

// respond sends a reply, over a stream if one message cannot carry it.
func (s *server) respond(ctx context.Context, m *nats.Msg, r *Request, reply *Reply, release func()) {
	h := replyHead{Warnings: reply.Warnings, Created: reply.Created, Gzip: reply.Gzip}
	head, err := encodeReply(h)
	if err != nil {
		s.respondError(m.Reply, err, false)
		return
	}
	out := nats.NewMsg(m.Reply)
	out.Header.Set(headerReply, string(head))
	if int64(len(head)+headSlack+len(reply.Body)) <= s.conn.NC.MaxPayload() {
		out.Data = reply.Body
		s.publish(out)
		return
	}
	s.offer(ctx, out, h, r, reply.Body, release)
}

// offer sends a reply without its body, and the body to whoever takes the stream.
func (s *server) offer(ctx context.Context, out *nats.Msg, h replyHead, r *Request, body []byte, release func()) {
	if r.Verb.readOnly() { // what was written is written: its client is told so, however long that takes
		leave, err := s.offering.Enter(r.User)
		if err != nil {
			s.respondError(out.Subject, err, true)
			return
		}
		defer leave()
	}
	// With its slot, until there is room: so these bodies are bounded too.
	select {
	case s.offers <- struct{}{}:
		defer func() { <-s.offers }()
	case <-ctx.Done():
		return
	}
	release()
	st, id, err := stream.Offer(s.conn, r.User, bus.PeerAPIServer)
	if err != nil {
		s.conn.Log.Warn("offer a reply", "object", r.Ref().String(), "error", err)
		return
	}
	defer st.Close()
	h.Stream, h.Peer = id, bus.PeerAPIServer
	head, err := encodeReply(h)
	if err != nil {
		s.respondError(out.Subject, err, false)
		return
	}
	out.Header.Set(headerReply, string(head))
	s.publish(out)
	if err := st.SendMessage(ctx, body); err != nil {
		s.conn.Log.Debug("the client left during a reply", "object", r.Ref().String(), "error", err)
		return
	}
	// Until the client has it and closes.
	_, _ = st.Recv(ctx)
}

// respondError sends err's Status. busy says that nothing was done.
func (s *server) respondError(to string, err error, busy bool) {
	st := status.Of(err)
	out := nats.NewMsg(to)
	out.Header.Set(stream.HeaderErrorCode, strconv.Itoa(int(st.Code)))
	out.Header.Set(stream.HeaderError, string(st.Reason))
	if busy {
		out.Header.Set(headerBusy, "true")
	}
	out.Data = status.Encode(err)
	if int64(len(out.Data)+headSlack) > s.conn.NC.MaxPayload() {
		st.Details, st.Message = nil, st.Message[:min(len(st.Message), 1000)]+"… (cut: the whole is too long)"
		out.Data = status.Encode(&apierrors.StatusError{ErrStatus: st})
	}
	s.publish(out)
}

func (s *server) publish(m *nats.Msg) {
	if m.Subject == "" {
		return // nobody waits
	}
	if err := s.conn.NC.PublishMsg(m); err != nil {
		s.conn.Log.Warn("reply", "error", err)
	}
}
