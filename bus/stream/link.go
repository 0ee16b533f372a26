package stream

import (
	"crypto/subtle"
	"encoding/binary"
	"time"

	"github.com/skerry/skerry/bus"
)

const (
	// maxDiffer is how often in a row two hubs may tell of different streams: some are
	// just being opened or closed.
	maxDiffer = 3
	// auditMost is how many streams are asked about then, whichever: as many at once as
	// do not hold others up.
	auditMost = 4096
)

// link is a hub's connection to another hub, as long as there are streams between them. Its
// pulse is the heartbeat of all of them that rest; only those that have something to tell
// have one of their own. Its fields are the hub's, under hub.mu.
type link struct {
	hub     *hub
	in, out string // where the other hub's frames come, and where it has ours come
	reply   string // where the server tells that nobody is there
	timer   *time.Timer
	over    bool

	streams int
	sum     ident // of their names
	busy    map[*Stream]struct{}

	heard  time.Time
	ticked time.Time
	absent time.Time // since when nobody is subscribed at the other end
	differ int       // how often in a row the other hub told of other streams
	beats  int

	// When the other hub last had answers of all that is busy, and differed: no peer has
	// more done for it by pulses that come more often than they should.
	answered, differed time.Time
}

// newLink needs h.mu.
func (h *hub) newLink(in, out string) *link {
	h.serial++
	now := time.Now()
	l := &link{hub: h, in: in, out: out, reply: bus.StreamReply(h.in, h.serial), busy: map[*Stream]struct{}{}, heard: now, ticked: now}
	h.links[out], h.replies[l.reply] = l, l
	l.timer = time.AfterFunc(h.timing.beat, l.tick)
	return l
}

// enter needs hub.mu.
func (l *link) enter(s *Stream) {
	s.link = l
	l.busy[s] = struct{}{} // until it has met its other end
	l.streams++
	subtle.XORBytes(l.sum[:], l.sum[:], s.id[:])
}

// leave needs hub.mu.
func (l *link) leave(s *Stream) {
	if l == nil {
		return
	}
	delete(l.busy, s)
	l.streams--
	subtle.XORBytes(l.sum[:], l.sum[:], s.id[:])
	if l.streams == 0 {
		l.over = true
		l.timer.Stop()
		delete(l.hub.links, l.out)
		delete(l.hub.replies, l.reply)
	}
}

// alive needs hub.mu.
func (l *link) alive() { l.heard, l.absent = time.Now(), time.Time{} }

// tick is the heartbeat, and looks for the other hub's.
func (l *link) tick() {
	h := l.hub
	h.mu.Lock()
	if l.over {
		h.mu.Unlock()
		return
	}
	now := time.Now()
	if now.Sub(l.ticked) > 2*h.timing.beat {
		l.heard = now // this process did not run: what came meanwhile is still to be read
	}
	l.ticked = now
	silent := now.Sub(l.heard) > h.timing.lost
	busy := make([]*Stream, 0, len(l.busy))
	for s := range l.busy {
		busy = append(busy, s)
	}
	l.beats++
	h.mu.Unlock()
	if silent {
		h.lose(l)
	} else {
		l.pulse(false)
		for _, s := range busy {
			s.tick()
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !l.over { // also of a link that was lost: a stream may have joined it meanwhile
		l.timer.Reset(l.pace())
	}
}

// pace is how long it is to the next beat: an absence is looked at more closely. It needs
// hub.mu.
func (l *link) pace() time.Duration {
	if l.absent.IsZero() {
		return l.hub.timing.beat
	}
	return l.hub.timing.beat / 5
}

// pulse tells the other hub that this one is alive, and which streams it has: how many, and
// the sum of their names. The server is asked to tell if nobody is there.
func (l *link) pulse(answer bool) {
	l.hub.mu.Lock()
	b := l.hub.appendPulse(nil, answer, l.streams, l.sum)
	l.hub.mu.Unlock()
	_ = l.hub.conn.NC.PublishRequest(l.out, l.reply, b) // the next one may get through
}

// appendPulse renders a pulse that tells of n streams with that sum.
func (h *hub) appendPulse(b []byte, answer bool, n int, sum ident) []byte {
	flags := byte(0)
	if answer {
		flags = flagAnswer
	}
	b = append(append(b, h.id[:]...), kindPulse, flags)
	return append(binary.AppendUvarint(b, uint64(n)), sum[:]...)
}

// pulsed takes in what the hub whose subject is out tells.
func (h *hub) pulsed(out string, b []byte) {
	if len(b) < 2 {
		return
	}
	n, sum, err := cutUvarint(b[2:])
	if err != nil {
		return
	}
	h.mu.Lock()
	l := h.links[out]
	if l == nil {
		h.mu.Unlock()
		if n > 0 {
			// It has not heard that they are closed here. Told that there are none it asks, and
			// hears it; without a word it would take this side for lost.
			_ = h.conn.NC.Publish(out, h.appendPulse(nil, false, 0, ident{}))
		}
		return
	}
	l.alive()
	if n == uint64(l.streams) && string(sum) == string(l.sum[:]) {
		l.differ = 0
	} else if time.Since(l.differed) >= h.timing.beat/2 {
		l.differ, l.differed = l.differ+1, time.Now()
	}
	var ask []*Stream
	if l.differ >= maxDiffer {
		l.differ = 0
		ask = h.of(l, auditMost)
	}
	var again []*Stream
	if b[1]&flagAnswer != 0 && time.Since(l.answered) >= h.timing.beat/5 {
		l.answered = time.Now()
		for s := range l.busy {
			again = append(again, s)
		}
	}
	h.mu.Unlock()
	for _, s := range ask {
		s.hello() // one that is gone at the other end is told so
	}
	for _, s := range again {
		s.beat(true)
	}
}

// of returns n streams of l, or all if there are fewer. It needs h.mu.
func (h *hub) of(l *link, n int) []*Stream {
	var some []*Stream
	for _, s := range h.streams {
		if s.link == l {
			some = append(some, s)
		}
		if len(some) == n {
			break
		}
	}
	return some
}

// nobody notes that no one is subscribed at the other end. That can be a reconnect, so it
// is asked again soon before the peer counts as lost.
func (h *hub) nobody(reply string) {
	h.mu.Lock()
	l := h.replies[reply]
	if l == nil {
		h.mu.Unlock()
		return
	}
	if l.absent.IsZero() {
		l.absent = time.Now()
	}
	lost := time.Since(l.absent) >= h.patience()
	if !lost {
		l.timer.Reset(l.pace())
	}
	h.mu.Unlock()
	if lost {
		h.lose(l)
	}
}

// patience is how long nobody may be subscribed at the other end: it may be making its
// connection again, the more so if this end just did. It needs h.mu.
func (h *hub) patience() time.Duration {
	if time.Since(h.rejoin) < h.timing.lost {
		return h.timing.lost
	}
	return h.timing.absent
}

// lose ends the streams of l.
func (h *hub) lose(l *link) {
	h.mu.Lock()
	all := h.of(l, l.streams)
	h.mu.Unlock()
	for _, s := range all {
		s.fail(ErrPeerLost)
	}
}

// rejoined asks at once for what was published while the connection was away: it is lost.
func (h *hub) rejoined() {
	h.mu.Lock()
	h.rejoin = time.Now()
	links := make([]*link, 0, len(h.links))
	var busy []*Stream
	for _, l := range h.links {
		links = append(links, l)
		for s := range l.busy {
			busy = append(busy, s)
		}
	}
	h.mu.Unlock()
	for _, l := range links {
		l.pulse(true)
	}
	for _, s := range busy {
		s.beat(true)
	}
}
