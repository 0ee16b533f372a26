package lease

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
)

// listen listens until the test ends.
func listen(t testing.TB, conn *bus.Conn) <-chan Beat {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	beats, done := make(chan Beat, 1<<16), make(chan error, 1)
	go func() { done <- Listen(ctx, conn, func(b Beat) { beats <- b }) }()
	t.Cleanup(func() { cancel(); <-done })
	return beats
}

// beating beats until it is stopped.
func beating(conn *bus.Conn, interval, ttl time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	node, _ := conn.User.Node()
	go func() { done <- Heartbeat(ctx, conn, node, interval, ttl) }()
	return func() { cancel(); <-done }
}

func TestHeartbeats(t *testing.T) {
	b := bustest.Start(t)
	beats := listen(t, b.Conn(t, "controller"))
	stop := beating(b.Conn(t, bus.NodeUser("n1.example.com")), 200*time.Millisecond, time.Second)
	for range 3 {
		if beat := await(t, beats, "a beat"); beat.Lost || beat.Node != "n1.example.com" {
			t.Fatalf("got %+v, want a beat of n1.example.com", beat)
		}
	}
	stop()
	silent := time.Now()
	for beat := await(t, beats, "the loss"); !beat.Lost; beat = await(t, beats, "the loss") {
	}
	// Suspected after a ttl, lost after another.
	if took := time.Since(silent); took < 1500*time.Millisecond || took > 10*time.Second {
		t.Errorf("the loss was reported after %s", took)
	}
}

// TestARestartIsNoLoss: a bus that was away must not cost any node its pods.
func TestARestartIsNoLoss(t *testing.T) {
	b := bustest.Start(t)
	beats := listen(t, b.Conn(t, "controller"))
	defer beating(b.Conn(t, bus.NodeUser("n1")), 200*time.Millisecond, time.Second)()
	await(t, beats, "a beat")
	b.Restart(t)
	for range 20 {
		if beat := await(t, beats, "beats after the restart"); beat.Lost {
			t.Fatal("a restart of the server counted as a node's loss")
		}
	}
}

// quiet is a listener whose bus the test plays.
type quiet struct {
	messages chan *nats.Msg
	frozen   atomic.Bool
	stand    atomic.Int64 // nanoseconds for which the listener does not run
	began    time.Time
	lost     map[string]time.Duration
	paces    []pace // that it told
}

// said has node say that it may be silent for ttl seconds.
func (q *quiet) said(node string, ttl int) {
	q.messages <- &nats.Msg{Subject: "heartbeat." + node, Data: fmt.Appendf(nil, `{"ttlSeconds":%d}`, ttl)}
}

// play runs f, and returns when which node was lost, up to the end of f.
func play(t *testing.T, f func(q *quiet)) map[string]time.Duration {
	t.Helper()
	q := &quiet{messages: make(chan *nats.Msg, waiting), began: time.Now(), lost: map[string]time.Duration{}}
	l := &listener{nodes: map[string]*voice{}, messages: q.messages, began: q.began,
		reply: func(_ *nats.Msg, p pace) { q.paces = append(q.paces, p) },
		ask: func(ctx context.Context) bool {
			if !q.frozen.Load() {
				return true
			}
			select {
			case <-time.After(answer):
			case <-ctx.Done():
			}
			return false
		},
		heard: func(b Beat) {
			<-time.After(time.Duration(q.stand.Swap(0)))
			if b.Lost {
				q.lost[string(b.Node)] = time.Since(q.began)
			}
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.run(ctx) }()
	f(q)
	cancel()
	<-done
	return q.lost
}

// after has one node beat every interval for a time.
func (q *quiet) beats(node string, ttl int, interval, lasts time.Duration) {
	for end := time.Now().Add(lasts); time.Now().Before(end); {
		q.said(node, ttl)
		<-time.After(interval)
	}
}

// TestLostInTime: a node is lost two ttls after its last word, however slowly it beats.
func TestLostInTime(t *testing.T) {
	for _, interval := range []time.Duration{time.Second, 3 * time.Second, 6 * time.Second, 9 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			var last time.Duration
			lost := play(t, func(q *quiet) {
				q.beats("n1", 10, interval, 5*time.Minute)
				last = time.Since(q.began) - interval
				<-time.After(time.Minute)
			})
			if took := lost["n1"] - last; took < 20*time.Second || took > 20*time.Second+2*leastCheck {
				t.Errorf("with a beat every %s the node was lost %s after its last", interval, took)
			}
		})
	}
}

// TestChangeOfPace: what counts is what the node itself said last, so neither a slower nor a
// quicker pace loses a node, nor one that was told neither.
func TestChangeOfPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := play(t, func(q *quiet) {
			q.beats("n1", 10, 3*time.Second, time.Minute)
			q.beats("n1", 40, 39*time.Second, 10*time.Minute)
			q.beats("n1", 10, 3*time.Second, time.Minute)
		})
		if len(lost) > 0 {
			t.Errorf("lost: %v", lost)
		}
	})
}

// TestPace: who asks is told how often to tell, once all nodes had time to be heard; a lost node
// counts no more.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q *quiet
		ask := func() {
			q.messages <- &nats.Msg{Subject: "heartbeat.n1", Reply: "r", Data: []byte(`{"ttlSeconds":10}`)}
		}
		play(t, func(playing *quiet) {
			q = playing
			ask()
			for range 5 {
				for i := range 3000 {
					q.said(fmt.Sprintf("n%d", i), 10)
				}
				<-time.After(6 * time.Second)
			}
			ask()
			<-time.After(30 * time.Second)
			ask()
			<-time.After(time.Second)
		})
		if len(q.paces) != 2 || q.paces[0].IntervalMillis != 6000 || q.paces[1].IntervalMillis > 3 {
			t.Errorf("told %+v", q.paces)
		}
	})
}

// TestFollowThePace: a node takes the pace that it is told, within bounds, and keeps its own while
// nobody answers.
func TestFollowThePace(t *testing.T) {
	b := bustest.Start(t)
	h := &heart{nc: b.Conn(t, bus.NodeUser("n1")).NC, subject: bus.HeartbeatSubject("n1"), least: time.Second, most: 6 * time.Second, interval: 2 * time.Second}
	ctx := context.Background()
	if err := h.beat(ctx, true); err == nil || h.interval != 2*time.Second {
		t.Errorf("with nobody there: %v, every %s", err, h.interval)
	}
	answers := []string{`{"intervalMillis":4000}`, `{"intervalMillis":3600000}`, `{}`, `no`}
	n := atomic.Int64{}
	controller := b.Conn(t, "controller").NC
	if _, err := controller.Subscribe(bus.HeartbeatSubject("*"), func(m *nats.Msg) { _ = m.Respond([]byte(answers[n.Add(1)-1])) }); err != nil {
		t.Fatal(err)
	}
	if err := controller.Flush(); err != nil {
		t.Fatal(err)
	}
	for i, want := range []time.Duration{4 * time.Second, 6 * time.Second, time.Second, time.Second} {
		if err := h.beat(ctx, true); (err != nil) != (i == 3) || h.interval != want {
			t.Errorf("told %s: %v, every %s, want %s", answers[i], err, h.interval, want)
		}
	}
}

// TestFrozenBus: while the bus does not answer nobody is lost, and afterwards everybody has time
// to be heard; who is gone then is lost.
func TestFrozenBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var back time.Duration
		lost := play(t, func(q *quiet) {
			for range 10 {
				q.said("n1", 10)
				q.said("gone", 10)
				<-time.After(3 * time.Second)
			}
			q.frozen.Store(true)
			<-time.After(5 * time.Minute)
			q.frozen.Store(false)
			back = time.Since(q.began)
			<-time.After(6 * time.Second) // it has to connect again
			q.beats("n1", 10, 3*time.Second, time.Minute)
		})
		if _, wrong := lost["n1"]; wrong || len(lost) != 1 {
			t.Errorf("lost: %v", lost)
		}
		if took := lost["gone"] - back; took > 20*time.Second {
			t.Errorf("the node that is gone was lost %s after the bus was back", took)
		}
	})
}

// TestStandstill: an observer that did not run for a while loses nobody for that, not
// even those that it suspected before.
func TestStandstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := play(t, func(q *quiet) {
			q.said("n1", 10)
			<-time.After(15 * time.Second) // n1 is suspected
			q.said("n2", 10)
			q.stand.Store(int64(time.Minute))
			q.said("n3", 10)
			<-time.After(61 * time.Second)
			for _, node := range []string{"n1", "n2", "n3"} { // their words had been under way
				q.said(node, 10)
			}
			<-time.After(15 * time.Second)
		})
		if len(lost) > 0 {
			t.Errorf("lost: %v", lost)
		}
	})
}

// TestOddWords: however long a node claims that it may be silent, and however much it says, it is lost in the end,
// and not at once.
func TestOddWords(t *testing.T) {
	for ttl, want := range map[int]time.Duration{1 << 62: mostTTL, 1 << 34: mostTTL, 0: defaultTTL, -1: defaultTTL} {
		synctest.Test(t, func(t *testing.T) {
			lost := play(t, func(q *quiet) {
				q.said("n1", ttl)
				<-time.After(5 * time.Minute)
			})
			if took := lost["n1"]; took < 2*want || took > 2*want+2*mostCheck {
				t.Errorf("with a ttl of %d s the node was lost after %s", ttl, took)
			}
		})
	}
	v := &voice{}
	if v.say([]byte(`{"ttlSeconds":3}` + strings.Repeat(" ", mostSaid))); v.said != "" || v.ttl != defaultTTL {
		t.Errorf("%d bytes are remembered, with a ttl of %s", len(v.said), v.ttl)
	}
}

// TestNoEnd: a node that never stops talking does not keep the observer from looking after the others.
func TestNoEnd(t *testing.T) {
	messages := make(chan *nats.Msg, 8)
	loud := &nats.Msg{Subject: "heartbeat.loud"}
	messages <- loud
	said, lost := 0, 0
	l := &listener{
		messages: messages, nodes: map[string]*voice{"heartbeat.gone": {node: "gone", suspect: true, due: time.Now()}},
		ask: func(context.Context) bool { return true },
		heard: func(b Beat) {
			if b.Lost {
				lost++
			} else if said++; said < 1000 {
				messages <- loud
			}
		},
	}
	if l.check(t.Context(), false); said == 1000 || lost != 1 {
		t.Errorf("took %d beats and lost %d nodes", said, lost)
	}
}

// TestDropped: who did not hear everything knows nothing about those who seem silent.
func TestDropped(t *testing.T) {
	b := bustest.Start(t)
	nc := b.Conn(t, "controller").NC
	sub, err := nc.ChanSubscribe(bus.HeartbeatSubject("*"), make(chan *nats.Msg, 1))
	if err != nil {
		t.Fatal(err)
	}
	e := ear{nc: nc, sub: sub}
	if !e.clear(t.Context()) {
		t.Error("nothing was said, and not all was heard")
	}
	node := b.Conn(t, bus.NodeUser("n1")).NC
	for range 3 {
		if err := node.Publish(bus.HeartbeatSubject("n1"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := node.Flush(); err != nil {
		t.Fatal(err)
	}
	if e.clear(t.Context()) {
		t.Error("what was dropped counts as heard")
	}
	if !e.clear(t.Context()) {
		t.Error("what was dropped once counts for ever")
	}
}

// BenchmarkHeartbeat is what one heartbeat costs in node, bus and observer together, each
// sent on a connection of its own.
func BenchmarkHeartbeat(b *testing.B) {
	srv := bustest.Start(b)
	const nodes = 64
	beats := listen(b, srv.Inside(b, "controller"))
	conns := make([]*bus.Conn, nodes)
	for i := range conns {
		conns[i] = srv.Conn(b, bus.NodeUser("n1"))
		if err := conns[i].NC.Flush(); err != nil {
			b.Fatal(err)
		}
	}
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	for n := 0; b.Loop(); n++ {
		if err := conns[n%nodes].NC.Publish(bus.HeartbeatSubject("n1"), []byte(`{"ttlSeconds":10}`)); err != nil {
			b.Fatal(err)
		}
		<-beats
	}
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	used := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(used)/1000/float64(b.N), "cpu-µs/op")
}
