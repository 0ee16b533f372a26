package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/stream"
)

const (
	// waitingPerSlot is how many requests may wait for each that runs: the first three of each of
	// some 10,000 nodes that come at once. One that waits is its message and 0.3 KB; one that is refused
	// comes again and again, which of 5,000 nodes was fifty times the work of answering them.
	waitingPerSlot = 256
	// userShare is the part of them that may be one user's.
	userShare = 2
	// nodesShare, of sixteen parts, may be the nodes': what they have left of them
	// is there for whoever looks what is going on.
	nodesShare = 14
	// maxWaitingBytes is how many bytes of bodies may be here.
	maxWaitingBytes = 64 << 20
)

// server is the running half of Serve.
type server struct {
	conn   *bus.Conn
	server Server
	hands  *hands
	slots  *turns        // one for each request that runs
	offers chan struct{} // one for each reply that waits for its client
	// offering are those whose replies wait, or have none of these yet and keep their slots.
	offering Crowd
	uploads  *stream.Acceptor
	watches  *stream.Acceptor
	// watching are those that watch, by user.
	watching Crowd
	heads    heads

	running  sync.WaitGroup
	mu       sync.Mutex
	stopping bool
	inFlight int
	limit    int
	of       map[string]int // in flight, by the user's token
	ofNodes  int
	bytes    int
	counts   map[Verb]*count
}

type count struct {
	requests, errors, refused uint64
	spent                     time.Duration
}

func newServer(conn *bus.Conn, concurrency int, s Server) *server {
	return &server{
		conn:     conn,
		server:   s,
		hands:    newHands(),
		slots:    newTurns(concurrency),
		offers:   make(chan struct{}, maxOffers),
		offering: Crowd{What: "large replies", Most: maxOffers + concurrency, MostOf: maxOffersOf},
		uploads:  stream.NewAcceptor(conn, bus.PeerAPIServer, maxUploads),
		watches:  stream.NewAcceptor(conn, bus.PeerAPIServer, maxWatches),
		watching: Crowd{What: "watches", Most: maxWatches, MostOf: maxWatchesOf},
		limit:    concurrency * (1 + waitingPerSlot),
		of:       map[string]int{},
		counts:   map[Verb]*count{},
	}
}

// wait refuses what comes from now on and waits for what runs.
func (s *server) wait() {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	s.running.Wait()
	s.uploads.Wait()
	s.watches.Wait()
	s.hands.end()
}

// request takes one request in and returns at once.
func (s *server) request(ctx context.Context, m *nats.Msg) {
	if m.Header.Get(stream.HeaderStream) != "" {
		s.uploads.Accept(ctx, m, s.upload(m.Subject))
		return
	}
	if err := s.enter(m); err != nil {
		s.respondError(m.Reply, err, true)
		return
	}
	came := time.Now()
	s.hands.do(func() { s.inline(ctx, m, came) })
}

// enter counts m in, or says why there is no room for it.
func (s *server) enter(m *nats.Msg) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return apierrors.NewServiceUnavailable("the apiserver is stopping")
	}
	u := userToken(m.Subject)
	node := strings.HasPrefix(u, nodeToken)
	if s.inFlight >= s.limit || s.of[u] >= s.limit/userShare || s.bytes+len(m.Data) > maxWaitingBytes || node && s.ofNodes >= s.limit*nodesShare/16 {
		if _, verb, _, err := bus.ParseAPISubject(m.Subject); err == nil {
			s.count(Verb(verb)).refused++
		}
		return apierrors.NewTooManyRequests("too many requests are waiting", 1)
	}
	s.inFlight++
	s.of[u]++
	if node {
		s.ofNodes++
	}
	s.bytes += len(m.Data)
	s.running.Add(1)
	return nil
}

func (s *server) leave(m *nats.Msg) {
	s.mu.Lock()
	s.inFlight--
	u := userToken(m.Subject)
	if strings.HasPrefix(u, nodeToken) {
		s.ofNodes--
	}
	if s.of[u] > 1 {
		s.of[u]--
	} else {
		delete(s.of, u)
	}
	s.bytes -= len(m.Data)
	s.mu.Unlock()
	s.running.Done()
}

// nodeToken is what the tokens of nodes begin with.
var nodeToken = bus.NodeUser("").Token()

// userToken is the user's token in a request's subject.
func userToken(subject string) string {
	_, rest, _ := strings.Cut(subject, ".")
	u, _, _ := strings.Cut(rest, ".")
	return u
}

// count needs s.mu.
func (s *server) count(v Verb) *count {
	c := s.counts[v]
	if c == nil {
		c = &count{}
		s.counts[v] = c
	}
	return c
}

// inline answers a request that is one message, once it is its turn.
func (s *server) inline(ctx context.Context, m *nats.Msg, came time.Time) {
	r, head, err := s.heads.request(m)
	if err != nil {
		s.respondError(m.Reply, err, false)
		s.leave(m)
		return
	}
	s.slots.do(asker(r), s.hands.do, func(release func()) {
		defer s.leave(m)
		defer release()
		s.answer(ctx, m, r, came.Add(head.timeout()), head.timeout()/4, release)
	})
}

// answer answers m, which is r, unless less than least is left until its client gives up: the answer
// would come too late, and he would ask again.
func (s *server) answer(ctx context.Context, m *nats.Msg, r *Request, until time.Time, least time.Duration, release func()) {
	if time.Until(until) < least {
		s.respondError(m.Reply, errTooLate(), true)
		return
	}
	ctx, cancel := context.WithDeadline(bus.WithTrace(ctx, m.Header.Get(bus.TraceHeader)), until)
	defer cancel()
	reply, err := s.do(ctx, r)
	if err != nil {
		s.respondError(m.Reply, err, false)
		return
	}
	s.respond(ctx, m, r, reply, release)
}

// upload answers a request whose body comes over a stream.
func (s *server) upload(subject string) stream.Handler {
	return func(ctx context.Context, _ bus.User, hello []byte, accept func() (*stream.Stream, error)) error {
		r, timeout, err := decodeRequest(subject, hello, nil)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		st, err := accept()
		if err != nil {
			return err
		}
		if r.Body, err = st.RecvMessage(ctx, MaxBody); err != nil {
			return err
		}
		release, err := s.slots.acquire(ctx, asker(r))
		if err != nil {
			return err
		}
		defer release()
		reply, err := s.do(ctx, r)
		if err != nil {
			return err
		}
		release()
		head, err := encodeReply(replyHead{Warnings: reply.Warnings, Created: reply.Created})
		if err != nil {
			return err
		}
		if err := st.SendMessage(ctx, head); err != nil {
			return err
		}
		return st.SendMessage(ctx, reply.Body)
	}
}

// do runs one request and counts it.
func (s *server) do(ctx context.Context, r *Request) (reply *Reply, err error) {
	start := time.Now()
	err = s.call(ctx, r, func() error {
		reply, err = s.server.Do(ctx, r)
		if err == nil && reply == nil {
			reply = &Reply{}
		}
		return err
	})
	if err == nil && len(reply.Body) > maxReply {
		err = apierrors.NewInternalError(fmt.Errorf("the reply has %d bytes, more than %d: list in smaller pages", len(reply.Body), maxReply))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.count(r.Verb)
	c.requests++
	c.spent += time.Since(start)
	if err != nil {
		c.errors++
	}
	return reply, err
}

// call turns panics into errors, and logs those that clients cannot know to be
// theirs.
func (s *server) call(ctx context.Context, r *Request, f func() error) (err error) {
	log := func() *slog.Logger {
		return s.conn.Log.With("user", r.User, "verb", r.Verb, "object", r.Ref().String())
	}
	defer func() {
		if p := recover(); p != nil {
			log().Error("request panicked", "panic", p, "stack", string(debug.Stack()))
			err = apierrors.NewInternalError(errors.New("the apiserver panicked; its log says where"))
		}
	}()
	err = f()
	var known apierrors.APIStatus
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return apierrors.NewTimeoutError(fmt.Sprintf("%s %s: %v", r.Verb, r.Ref(), err), 0)
	case ctx.Err() != nil: // the client left, or this server stops
		return apierrors.NewServiceUnavailable(fmt.Sprintf("%s %s: the apiserver stopped in the middle of it", r.Verb, r.Ref()))
	}
	log().Error("request failed", "error", err)
	return apierrors.NewInternalError(err)
}
