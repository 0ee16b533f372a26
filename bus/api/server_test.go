package api

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/schemas"
)

// TestConcurrency: no more run at once than was said; beyond the queue they are
// refused, and no request is lost for it.
func TestConcurrency(t *testing.T) {
	ctx := testContext(t)
	var running, most, done atomic.Int32
	c := served(t, 2, fake{do: func(_ context.Context, r *Request) (*Reply, error) {
		n := running.Add(1)
		defer running.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		runtime.Gosched()
		done.Add(1)
		return &Reply{}, nil
	}})
	c.RetryFor = testTimeout
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if _, err := c.Do(ctx, about(VerbUpdate, refTo("x"))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() > 2 || done.Load() != 200 {
		t.Errorf("%d at once, %d done", most.Load(), done.Load())
	}
}

// TestRepliesThatNobodyTakes: a client that asks for large replies and takes none holds up nobody but itself.
func TestRepliesThatNobodyTakes(t *testing.T) {
	const slots = 4
	large := make([]byte, 2<<20) // more than one message of this bus
	b := bustest.Start(t)
	serve(t, b, slots, fake{do: func(_ context.Context, r *Request) (*Reply, error) {
		if r.User == "idle" {
			return &Reply{Body: large}, nil
		}
		return &Reply{}, nil
	}})
	idle := b.Conn(t, "idle")
	head, err := encodeRequest(&Request{}, requestTimeout)
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan *nats.Msg, 64)
	inbox := idle.NC.NewRespInbox()
	sub, err := idle.NC.ChanSubscribe(inbox, answers)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	for range maxOffers + 2*slots {
		m := nats.NewMsg(bus.APISubject("idle", string(VerbList), schemas.Pods))
		m.Reply = inbox
		m.Header.Set(headerRequest, string(head))
		if err := idle.NC.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	for range maxOffersOf {
		<-answers // offered
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := client(t, b).Do(ctx, about(VerbGet, refTo("x"))); err != nil {
		t.Errorf("somebody else: %v", err)
	}
}

func TestTooManyRequests(t *testing.T) {
	ctx := testContext(t)
	began, finish := make(chan struct{}, 1000), make(chan struct{})
	b := bustest.Start(t)
	stop := serve(t, b, 1, fake{do: func(ctx context.Context, _ *Request) (*Reply, error) {
		began <- struct{}{}
		<-finish
		return &Reply{}, nil
	}})
	c := client(t, b)
	c.RetryFor = 0
	var wg sync.WaitGroup
	var refused atomic.Int32
	room := (1 + waitingPerSlot) / userShare // for one user; others find the rest
	for range room + 5 {
		wg.Go(func() {
			_, err := c.Do(ctx, about(VerbUpdate, refTo("x")))
			if apierrors.IsTooManyRequests(err) {
				refused.Add(1)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	<-began
	eventually(t, "refusals", func() bool { return refused.Load() == 5 })
	other := NewClient(b.Conn(t, "system:controller"), c.table)
	other.RetryFor = 0
	wg.Go(func() {
		if _, err := other.Do(ctx, about(VerbUpdate, refTo("y"))); err != nil {
			t.Errorf("another user's request: %v", err)
		}
	})
	close(finish)
	wg.Wait()
	stop()
}

// TestNodesLeaveRoom: however many nodes ask, an operator's request is let in.
func TestNodesLeaveRoom(t *testing.T) {
	s := newServer(bustest.Start(t).Conn(t, "system:apiserver"), 1, fake{})
	enter := func(u bus.User) error {
		return s.enter(&nats.Msg{Subject: bus.APISubject(u, string(VerbGet), schemas.Pods)})
	}
	in := 0
	for i := range 1000 {
		if err := enter(bus.NodeUser(schemas.NodeName(fmt.Sprint("n", i)))); err == nil {
			in++
		} else if !apierrors.IsTooManyRequests(err) {
			t.Fatal(err)
		}
	}
	if in != s.limit*nodesShare/16 {
		t.Errorf("%d of %d places are the nodes'", in, s.limit)
	}
	if err := enter("admin"); err != nil {
		t.Errorf("an operator: %v", err)
	}
	s.leave(&nats.Msg{Subject: bus.APISubject(bus.NodeUser("n0"), string(VerbGet), schemas.Pods)})
	if err := enter(bus.NodeUser("n0")); err != nil {
		t.Errorf("a node after another's end: %v", err)
	}
}

// TestTooLate: a request whose client is about to give up is refused as one that nobody looked at, and not done.
func TestTooLate(t *testing.T) {
	conn := bustest.Start(t).Conn(t, "system:apiserver")
	done := 0
	s := newServer(conn, 1, fake{do: func(context.Context, *Request) (*Reply, error) { done++; return &Reply{}, nil }})
	answers := make(chan *nats.Msg, 2)
	inbox := conn.NC.NewRespInbox()
	if _, err := conn.NC.ChanSubscribe(inbox, answers); err != nil {
		t.Fatal(err)
	}
	m := nats.NewMsg(bus.APISubject("admin", string(VerbGet), schemas.Pods))
	m.Reply = inbox
	for _, left := range []time.Duration{time.Minute, 0} {
		s.answer(t.Context(), m, about(VerbGet, refTo("x")), time.Now().Add(left), time.Second, func() {})
		if late := (<-answers).Header.Get(headerBusy) != ""; late != (left == 0) || done != 1 {
			t.Errorf("%s are left: refused: %v, %d done", left, late, done)
		}
	}
}

// TestStopAnswersWhatRuns: a request that began is answered, later ones go elsewhere.
func TestStopAnswersWhatRuns(t *testing.T) {
	ctx := testContext(t)
	b := bustest.Start(t)
	began, finish := make(chan struct{}), make(chan struct{})
	stop := serve(t, b, 1, fake{do: func(context.Context, *Request) (*Reply, error) {
		close(began)
		<-finish
		return &Reply{Body: []byte(`{"metadata":{"name":"old"}}`)}, nil
	}})
	c := client(t, b)
	c.RetryFor = testTimeout
	var wg sync.WaitGroup
	wg.Go(func() {
		if obj, err := c.Create(ctx, schemas.ConfigMaps, configMap("a")); err != nil || obj.GetName() != "old" {
			t.Errorf("%+v, %v", obj, err)
		}
	})
	<-began
	wg.Go(stop)
	serve(t, b, 1, fake{do: func(context.Context, *Request) (*Reply, error) {
		return &Reply{Body: []byte(`{"metadata":{"name":"new"}}`)}, nil
	}})
	eventually(t, "the old server to leave", func() bool {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		obj, err := c.Get(short, refTo("a"))
		return err == nil && obj.GetName() == "new"
	})
	close(finish)
	wg.Wait()
}

func TestServiceFramework(t *testing.T) {
	ctx := testContext(t)
	c := served(t, 3, fake{do: func(_ context.Context, r *Request) (*Reply, error) {
		return nil, apierrors.NewNotFound(groupResource, "a")
	}})
	_, _ = c.Get(ctx, refTo("a"))
	m, err := c.conn.NC.RequestWithContext(ctx, "$SRV.STATS.apiserver", nil)
	if err != nil {
		t.Fatal(err)
	}
	var st micro.Stats
	if err := json.Unmarshal(m.Data, &st); err != nil {
		t.Fatal(err)
	}
	if st.Version != "1.2.3" || len(st.Endpoints) != len(Verbs()) {
		t.Errorf("got %+v", st)
	}
	for _, e := range st.Endpoints {
		if e.Subject != bus.APIEndpoint(e.Name) {
			t.Errorf("%s is on %s", e.Name, e.Subject)
		}
		if e.Name == "get" {
			var v verbStats
			if err := json.Unmarshal(e.Data, &v); err != nil || v.Requests != 1 || v.Errors != 1 {
				t.Errorf("%s, %v", e.Data, err)
			}
		}
	}
	for in, want := range map[string]string{"v1.2.3": "1.2.3", "1.0.0-rc.1+x": "1.0.0-rc.1+x", "devel": "0.0.0", "": "0.0.0"} {
		if got := semver(in); got != want {
			t.Errorf("semver(%q) = %q", in, got)
		}
	}
}

// TestVanishedClient: what a client left behind is freed.
func TestVanishedClient(t *testing.T) {
	ctx := testContext(t)
	b := bustest.Start(t)
	began, finish := make(chan struct{}), make(chan struct{})
	stop := serve(t, b, 1, fake{do: func(context.Context, *Request) (*Reply, error) {
		close(began)
		<-finish
		return &Reply{Body: make([]byte, 4<<20)}, nil
	}})
	c := client(t, b)
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := c.Create(short, schemas.ConfigMaps, configMap("a"))
		failed <- err
	}()
	<-began
	c.conn.NC.Close()
	if err := <-failed; err == nil {
		t.Error("no error")
	}
	close(finish)
	stop() // waits for everything that the server started
}
