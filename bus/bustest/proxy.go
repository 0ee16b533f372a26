package bustest

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skerry/skerry/bus"
)

// Proxy stands between one client and the server, to break their connection in ways
// that a server cannot: replies that never arrive, a network that is away.
type Proxy struct {
	bus   *Bus
	ln    net.Listener
	muted atomic.Bool
	down  atomic.Bool

	mu    sync.Mutex
	conns map[net.Conn]bool
	all   sync.WaitGroup
}

// Proxy starts a proxy that ends with t.
func (b *Bus) Proxy(t testing.TB) *Proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for the proxy: %v", err)
	}
	p := &Proxy{bus: b, ln: ln, conns: map[net.Conn]bool{}}
	p.all.Go(p.accept)
	t.Cleanup(func() {
		_ = p.ln.Close() // the test is over
		p.Cut()
		p.all.Wait()
	})
	return p
}

// Mute lets nothing from the server through (what the client sends still arrives)
// until Cut.
func (p *Proxy) Mute() { p.muted.Store(true) }

// Down refuses new connections until Up.
func (p *Proxy) Down() { p.down.Store(true); p.Cut() }

// Up undoes Down.
func (p *Proxy) Up() { p.down.Store(false) }

// Cut closes every connection through the proxy and ends Mute.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close() // it may be closed already
		delete(p.conns, c)
	}
	p.muted.Store(false)
}

// Conn connects as user through the proxy.
func (p *Proxy) Conn(t testing.TB, user bus.User) *bus.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	c, err := bus.Connect(ctx, bus.Options{URL: "nats://" + p.ln.Addr().String(), User: user, Name: t.Name()})
	if err != nil {
		t.Fatalf("connect as %s: %v", user, err)
	}
	t.Cleanup(c.Close)
	return c
}

func (p *Proxy) accept() {
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		if p.down.Load() {
			_ = client.Close() // refused
			continue
		}
		server, err := net.DialTimeout("tcp", p.bus.address(), time.Second)
		if err != nil {
			_ = client.Close() // the server is down
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = true, true
		p.mu.Unlock()
		p.all.Go(func() { p.pipe(server, client, nil) })
		p.all.Go(func() { p.pipe(client, server, &p.muted) })
	}
}

// pipe copies until one side ends; while muted is true it throws away what it reads.
func (p *Proxy) pipe(to, from net.Conn, muted *atomic.Bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && (muted == nil || !muted.Load()) {
			if _, werr := to.Write(buf[:n]); werr != nil {
				err = io.EOF
			}
		}
		if err != nil {
			// Closing twice is harmless.
			_ = to.Close()
			_ = from.Close()
			return
		}
	}
}

func (b *Bus) address() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.srv == nil {
		return "127.0.0.1:1"
	}
	return b.srv.Addr().String()
}
