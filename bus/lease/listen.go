package lease

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
)

// Beat is a node's heartbeat as an observer sees it.
type Beat struct {
	Node schemas.NodeName
	// Lost is true when the node has been silent for its ttl, and for one ttl more.
	Lost bool
}

const (
	// waiting is how many heartbeats may wait for the observer: some seconds' of 5,000
	// nodes. What is beyond is followed by another one.
	waiting = 16384
	// answer is how long the bus may take to answer an observer that hears nothing.
	answer = 3 * time.Second
	// leastCheck is how often silence is looked at, at most; mostCheck, at least.
	leastCheck = 250 * time.Millisecond
	mostCheck  = 10 * time.Second
	// again is when a bus that did not answer is asked once more.
	again = time.Second
	// stall is how late a check may be before the observer itself must have been standing still.
	stall = time.Second
)

// Listen calls heard with every node's beats and losses, one after the other, until ctx
// ends; heard must not block. Silence is measured here, by this process's clock alone, and is
// only a suspicion at first: the node has one ttl more, from a time at which the bus was seen to
// answer. While it does not, or this process stood still, nobody is lost: who hears
// nothing from anybody knows nothing about the nodes.
func Listen(ctx context.Context, conn *bus.Conn, heard func(Beat)) error {
	messages := make(chan *nats.Msg, waiting)
	sub, err := conn.NC.ChanSubscribe(bus.HeartbeatSubject("*"), messages)
	if err != nil {
		return fmt.Errorf("listen to heartbeats: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // the connection may be gone already
	e := ear{nc: conn.NC, sub: sub}
	l := &listener{
		heard: heard, nodes: map[string]*voice{}, messages: messages, began: time.Now(), ask: e.clear,
		reply: func(m *nats.Msg, p pace) {
			if b, err := json.Marshal(p); err != nil || m.Respond(b) != nil {
				conn.Log.Debug("pace of heartbeats not told", "subject", m.Subject)
			}
		},
	}
	return l.run(ctx)
}

// ear is what the observer hears with.
type ear struct {
	nc      *nats.Conn
	sub     *nats.Subscription
	dropped int // messages that found no room, up to the last look
}

// clear tells whether everything is heard: the bus answers, and nothing was dropped since the last look.
// One node that shouts must not make the others seem silent.
func (e *ear) clear(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	if e.nc.FlushWithContext(ctx) != nil {
		return false
	}
	n, err := e.sub.Dropped()
	was := e.dropped
	e.dropped = n
	return err == nil && n == was
}

// listener is the observer. Only run's goroutine touches it.
type listener struct {
	heard    func(Beat)
	messages <-chan *nats.Msg
	// ask tells whether all that is said is heard. What the bus had for the listener before is in messages then.
	ask func(context.Context) bool
	// reply answers a beat that asks for the pace.
	reply func(*nats.Msg, pace)
	began time.Time
	nodes map[string]*voice // by subject
	next  time.Time         // when silence is looked at
}

// voice is what is known of one node's heartbeat.
type voice struct {
	node schemas.NodeName
	said string // the last beat as it came: as a rule it is the same again
	ttl  time.Duration
	// due is when something is to be done about the node if it stays silent: it is suspected,
	// or lost if it was suspected already.
	due     time.Time
	suspect bool
}

func (l *listener) run(ctx context.Context) error {
	check := time.NewTimer(mostCheck)
	defer check.Stop()
	l.next = time.Now().Add(mostCheck)
	for {
		planned := l.next
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-l.messages:
			l.take(m)
		case <-check.C:
			l.check(ctx, time.Since(planned) > stall)
			l.next = l.earliest(time.Now())
		}
		if l.next != planned {
			check.Reset(time.Until(l.next))
		}
	}
}

// take takes a beat in.
func (l *listener) take(m *nats.Msg) {
	v := l.nodes[m.Subject]
	if v == nil {
		node, err := bus.ParseHeartbeatSubject(m.Subject)
		if err != nil {
			return
		}
		v = &voice{node: node}
		l.nodes[m.Subject] = v
	}
	if v.ttl == 0 || v.said != string(m.Data) {
		v.say(m.Data)
	}
	v.due, v.suspect = time.Now().Add(v.ttl), false
	if v.due.Before(l.next) {
		l.next = v.due
	}
	l.heard(Beat{Node: v.node})
	if m.Reply != "" && time.Since(l.began) > mostCheck { // it has heard of all that live by then
		l.reply(m, paceOf(len(l.nodes)))
	}
}

// rate is how many heartbeats a second all nodes together are to send.
const rate = 500

// paceOf is the pace of so many nodes.
func paceOf(nodes int) pace {
	return pace{IntervalMillis: int64(nodes) * 1000 / rate}
}

// mostSaid bounds what is remembered of a node's word: no agent says more.
const mostSaid = 256

func (v *voice) say(data []byte) {
	var b beat
	v.said, v.ttl = "", defaultTTL
	if len(data) > mostSaid {
		return
	}
	if json.Unmarshal(data, &b) == nil && b.TTLSeconds > 0 {
		v.ttl = time.Duration(min(b.TTLSeconds, int(mostTTL/time.Second))) * time.Second
	}
	v.said = string(data)
}

// The ttl of a beat that tells none, and the longest that one may tell.
const (
	defaultTTL = 10 * time.Second
	mostTTL    = time.Minute
)

// check looks for those who are silent for too long. stood is whether this process stood still
// meanwhile.
func (l *listener) check(ctx context.Context, stood bool) {
	if l.earliest(time.Now()).After(time.Now().Add(leastCheck)) {
		return
	}
	answers := l.ask(ctx)
	for range len(l.messages) { // what had come in time; there may be no end to what still comes
		l.take(<-l.messages)
	}
	now := time.Now()
	for subject, v := range l.nodes {
		due := !now.Before(v.due)
		switch {
		case (stood || !answers) && (due || v.suspect): // nothing is known of it
			v.due, v.suspect = now.Add(again), false
		case due && !v.suspect:
			v.due, v.suspect = now.Add(v.ttl), true
		case due:
			delete(l.nodes, subject)
			l.heard(Beat{Node: v.node, Lost: true})
		}
	}
}

// earliest is when something is to be done about a node, if nothing is heard before.
func (l *listener) earliest(now time.Time) time.Time {
	at := now.Add(mostCheck)
	for _, v := range l.nodes {
		if v.due.Before(at) {
			at = v.due
		}
	}
	if soon := now.Add(leastCheck); at.Before(soon) {
		return soon
	}
	return at
}
