package stream

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
)

// storm is a bus within a bubble of its own time, and processes that come and go on it.
type storm struct {
	t   *testing.T
	srv *server.Server
	// loss is how many of a thousand messages to a hub are lost.
	loss int
	// mild: no process ends.
	mild bool

	mu   sync.Mutex
	rand *rand.Rand
}

func newStorm(t *testing.T, seed uint64) *storm {
	t.Helper()
	srv, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(5 * time.Second) {
		t.Fatal("the server is not ready")
	}
	return &storm{t: t, srv: srv, rand: rand.New(rand.NewPCG(seed, 0))}
}

func (w *storm) end() {
	w.srv.Shutdown()
	w.srv.WaitForShutdown()
}

func (w *storm) intn(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rand.IntN(n)
}

func (w *storm) upTo(d time.Duration) time.Duration { return time.Duration(w.intn(int(d))) }

// process is a connection and what is served on it.
type process struct {
	*bus.Conn
	stop func()
}

func (w *storm) process(user bus.User, peer string, h Handler) *process {
	c, err := bus.Connect(context.Background(), bus.Options{InProcess: w.srv, User: user})
	if err != nil {
		w.t.Fatal(err)
	}
	w.lossy(c, peer)
	p := &process{c, func() {}}
	if h == nil {
		return p
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, c, bus.NodeSubject("n1", "*", "test"), "", peer, 1000, h) }()
	p.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	}
	return p
}

// lossy has c's hub miss some messages.
func (w *storm) lossy(c *bus.Conn, peer string) {
	tm := defaultTiming()
	_, err := c.Shared(hubKey{peer, tm}, func() (any, error) {
		h := newHub(c, peer, tm)
		return h, h.open(func(m *nats.Msg) {
			if w.intn(1000) >= w.loss {
				h.receive(m)
			}
		})
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// one is a stream's script, from a seed.
type one struct {
	*rand.Rand
	w *storm
}

func (o one) pause() {
	switch o.IntN(4) {
	case 0:
		time.Sleep(time.Duration(o.IntN(int(20 * time.Second))))
	case 1:
		time.Sleep(time.Duration(o.IntN(int(200 * time.Millisecond))))
	}
}

// pattern is what is sent in a direction of a stream: which bytes follows from where they are.
func pattern(seed uint64, from, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(seed + uint64(from+i)*2654435761>>7)
	}
	return b
}

// send sends some of the pattern and ends it, or does not.
func (o one) send(ctx context.Context, s *Stream, seed uint64) error {
	at := 0
	for range o.IntN(12) {
		n := o.IntN(3 * MaxFrame)
		if err := s.Send(ctx, Frame{Data: pattern(seed, at, n)}); err != nil {
			return err
		}
		at += n
		if o.IntN(6) == 0 {
			o.pause()
		}
	}
	if o.IntN(8) == 0 {
		return s.Close()
	}
	// The last frame tells how much there was.
	if err := s.Send(ctx, Frame{Channel: 1, Data: binary.BigEndian.AppendUint64(nil, uint64(at))}); err != nil {
		return err
	}
	return s.CloseSend(nil)
}

// recv checks what comes. A clean end must be behind everything.
func (o one) recv(ctx context.Context, s *Stream, seed uint64) error {
	at, total := 0, -1
	for {
		f, err := s.Recv(ctx)
		if errors.Is(err, io.EOF) {
			if total != at {
				return fmt.Errorf("wrong: %d bytes and then the end, of %d", at, total)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if f.Channel == 1 {
			total = int(binary.BigEndian.Uint64(f.Data))
			continue
		}
		if string(f.Data) != string(pattern(seed, at, len(f.Data))) {
			return fmt.Errorf("wrong: other bytes at %d", at)
		}
		at += len(f.Data)
		if o.IntN(20) == 0 {
			o.pause()
		}
	}
}

// said tells whether err says what happened.
func said(err error) bool {
	var st apierrors.APIStatus
	return err == nil || slices.ContainsFunc(reasons, func(r error) bool { return errors.Is(err, r) }) || errors.As(err, &st)
}

var reasons = []error{ErrPeerLost, ErrGap, io.ErrUnexpectedEOF, io.ErrClosedPipe, context.Canceled, context.DeadlineExceeded, bus.ErrUnreachable}

// both sends and receives at once, each by its own part of the script.
func (w *storm) both(ctx context.Context, s *Stream, seed, to, from uint64) error {
	done := make(chan error, 1)
	go func() {
		err := one{rand.New(rand.NewPCG(seed, to)), w}.send(ctx, s, to)
		if !said(err) {
			w.t.Errorf("send: %v", err)
		}
		done <- err
	}()
	err := one{rand.New(rand.NewPCG(seed, from)), w}.recv(ctx, s, from)
	if !said(err) {
		w.t.Errorf("receive: %v", err)
	}
	if err != nil {
		_ = s.Close()
	}
	return errors.Join(err, <-done)
}

func (w *storm) serve(ctx context.Context, _ bus.User, hello []byte, accept func() (*Stream, error)) error {
	seed := binary.BigEndian.Uint64(hello)
	o := one{rand.New(rand.NewPCG(seed, 3)), w}
	o.pause()
	if o.IntN(10) == 0 {
		return apierrors.NewBadRequest("refused")
	}
	s, err := accept()
	if err != nil {
		return err
	}
	if o.IntN(5) == 0 {
		time.AfterFunc(w.upTo(40*time.Second), func() { _ = s.Close() })
	}
	return w.both(ctx, s, seed, 2, 1)
}

// dial is the life of a stream on the dialling side.
func (w *storm) dial(p *process, seed uint64) string {
	o := one{rand.New(rand.NewPCG(seed, 4)), w}
	o.pause()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if o.IntN(3) == 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(o.IntN(int(30*time.Second))))
		defer cancel()
	}
	s, err := Dial(ctx, p.Conn, subject, binary.BigEndian.AppendUint64(nil, seed))
	if err != nil {
		if !said(err) {
			w.t.Errorf("dial: %v", err)
		}
		return "dial: " + reason(err)
	}
	if o.IntN(5) == 0 {
		time.AfterFunc(time.Duration(o.IntN(int(30*time.Second))), func() { _ = s.Close() })
	}
	err = w.both(ctx, s, seed, 1, 2)
	if o.IntN(10) > 0 || err != nil {
		_ = s.Close()
	} else {
		<-s.done
	}
	return reason(err)
}

// reason is err without its details.
func reason(err error) string {
	for _, r := range reasons {
		if errors.Is(err, r) {
			return r.Error()
		}
	}
	return fmt.Sprint(err)
}

// left is what a hub still has.
func left(c *bus.Conn, peer string) string {
	h, _ := hubOf(c, peer, defaultTiming())
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.streams)+len(h.links)+len(h.replies) == 0 {
		return ""
	}
	return fmt.Sprintf("%d streams, %d links, %d replies", len(h.streams), len(h.links), len(h.replies))
}

// More storms, or one again: go test ./bus/stream -run TestStorm -seed 100 -storms 500.
var (
	firstStorm = flag.Uint64("seed", 1, "the first storm's seed")
	storms     = flag.Uint64("storms", 8, "how many storms")
)

// TestStorm: many streams at once, each of which is opened, left, read slowly or closed at any
// moment, while connections are cut, messages are lost and processes end and come back. All
// bytes arrive in order or there is an error that says why not, and nothing is left.
func TestStorm(t *testing.T) {
	n := *storms
	if testing.Short() {
		n = min(n, 4)
	}
	for seed := *firstStorm; seed < *firstStorm+n; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { bubble(t, func(t *testing.T) { rage(t, seed) }) })
	}
}

// bubble runs f in a time of its own.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
	// The bus' client pools timers, and one of a bubble is of no use outside. A pool is empty
	// after it was collected twice.
	runtime.GC()
	runtime.GC()
}

func rage(t *testing.T, seed uint64) {
	w := newStorm(t, seed)
	defer w.end()
	w.mild = seed%2 == 0
	w.loss = []int{0, 0, 2, 20}[seed%4]
	node := w.process(bus.NodeUser("n1"), "n1", w.serve)
	users := []*process{w.process("admin", "", nil), w.process("admin", "", nil)}
	counts := map[string]int{}
	var all sync.WaitGroup
	for i := range 60 {
		p := users[w.intn(2)]
		all.Go(func() {
			r := w.dial(p, seed<<16+uint64(i))
			w.mu.Lock()
			counts[r]++
			w.mu.Unlock()
		})
	}
	over := make(chan struct{})
	go func() { all.Wait(); close(over) }()
	for range w.intn(6) {
		time.Sleep(w.upTo(20 * time.Second))
		switch what := w.intn(4); {
		case what < 2 || w.mild:
			conns, _ := w.srv.Connz(&server.ConnzOptions{})
			for _, c := range conns.Conns {
				if w.intn(2) == 0 {
					_ = w.srv.DisconnectClientByID(c.Cid)
				}
			}
		case what == 2: // the node's process is killed and comes back
			node.NC.Close()
			node.stop()
			time.Sleep(w.upTo(10 * time.Second))
			node = w.process(bus.NodeUser("n1"), "n1", w.serve)
		default: // a user's
			i := w.intn(2)
			users[i].NC.Close()
			users[i] = w.process("admin", "", nil)
		}
	}
	began := time.Now()
	select {
	case <-over:
	case <-time.After(10 * time.Minute):
		t.Error("some streams do not end")
	}
	took := time.Since(began)
	time.Sleep(3 * time.Minute)
	for name, l := range map[string]string{"node": left(node.Conn, "n1"), "first user": left(users[0].Conn, ""), "second user": left(users[1].Conn, "")} {
		if l != "" {
			t.Errorf("%s: %s are left", name, l)
		}
	}
	if w.mild && counts[ErrPeerLost.Error()]+counts[ErrGap.Error()] > 0 {
		t.Error("streams were lost, though both sides were there")
	}
	t.Log(counts, took)
	node.stop()
	for _, p := range append(users, node) {
		p.Close()
	}
}
