package crowd

import (
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/skerry/skerry/services/gateway"
)

const (
	// mostEach is how many bytes a watch that rests may take, in the bus, the apiserver, the gateway
	// and this test together: some 4,000 are a buffer of Go's HTTP server, 7,000 two stacks.
	mostEach = 24_000
	// mostLeft is how many may be left of one that has ended: the runtime keeps what it knows of a
	// goroutine for the next one, and maps keep their size.
	mostLeft = 2_000
	// noise is what comes and goes in the bus and the apiserver meanwhile.
	noise = 16 << 20
	// mostMemory is how much the process shall have.
	mostMemory = 2250 << 20
)

// TestIdleWatches: 100,000 watches are opened and stay, cost little, are told what concerns them and
// nothing else, are refused beyond the limits, and leave nothing behind.
func TestIdleWatches(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 9_000
	}
	// What is alive in the end is 2 GB; what is dead shall not be twice that before it is collected.
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(mostMemory))
	r := start(t, gateway.Limits{Lasting: n + 1, LastingOf: n})
	ann, bob := r.client(t, "ann"), r.client(t, "bob")
	for _, c := range []*http.Client{ann, bob} {
		r.create(t, c, "somebody") // the first is everything's first
		r.remove(t, c, "somebody")
	}
	before, few := memory()

	c := gather(t, r.addr, r.as(t, "ann"), n)
	defer c.end()
	with, many := memory()
	each := (with - before) / n
	t.Logf("%d bytes and %.2f goroutines each", each, float64(many-few)/float64(n))
	if each > mostEach {
		t.Errorf("a watch takes %d bytes, more than %d", each, mostEach)
	}

	r.refused(t, ann, `user \"ann\" has`)
	defer r.watch(t, bob)()
	r.refused(t, bob, "as many as there may be")

	c.change(r, bob, n)
	c.leave()
	r.await(t, bob, func() bool { return runtime.NumGoroutine() < few+n/100 })
	c.end()
	after, _ := memory()
	t.Logf("%d bytes are left in all; %s", after-before, peak(t))
	if left := (after - before - noise) / n; left > mostLeft {
		t.Errorf("a watch that has ended takes %d bytes, more than %d", left, mostLeft)
	}
}

// change makes an object that somebody watches on each connection. That one is told, and the
// others are not.
func (c *crowd) change(r *rig, by *http.Client, n int) {
	c.t.Helper()
	told := map[place]bool{}
	for i := range c.conns {
		k := min(i*perConn+7*i%perConn, n-1)
		told[c.at(k)] = true
		r.create(c.t, by, name(k))
		c.wait(func() bool { return c.events[c.at(k)] > 0 })
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for at, events := range c.events {
		if !told[at] || events != 1 {
			c.t.Fatalf("stream %d was told of %d events; of its own: %v; it is one of %d", at.stream, events, told[at], len(c.events))
		}
	}
}

// memory is what is in use, in bytes, and how many goroutines there are.
func memory() (bytes, goroutines int) {
	for range 3 { // a stack shrinks by half each time
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse), runtime.NumGoroutine()
}

// peak is the most memory that the process had.
func peak(t *testing.T) string {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "VmHWM:") {
			return strings.Join(strings.Fields(line), " ")
		}
	}
	return ""
}

// await asks for something until ok. What takes minutes will not come.
func (r *rig) await(t *testing.T, c *http.Client, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(3 * time.Minute)
	for !ok() {
		if code := r.ask(t, c, "GET", "/readyz", "", nil); code != http.StatusOK {
			t.Fatalf("not ready: %d", code)
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("some goroutines do not end")
		}
	}
}
