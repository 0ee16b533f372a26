package crowd

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"sync"
	"testing"
)

const (
	// perConn is how many watches share a connection: fewer than the gateway allows.
	perConn    = 900
	configMaps = "/api/v1/namespaces/default/configmaps"
)

// crowd are watches, each of one object that is not there.
type crowd struct {
	t     *testing.T
	conns []*conn

	mu      sync.Mutex
	changed *sync.Cond
	leaving bool
	open    int
	wrong   string // what first went wrong
	events  map[place]int
}

// place is one of the crowd's watches.
type place struct {
	conn   *conn
	stream uint32
}

func name(n int) string { return fmt.Sprintf("nobody-%d", n) }

// watchOf is a watch as informers have them.
func watchOf(name string) string {
	return configMaps + "?watch=1&allowWatchBookmarks=true&timeoutSeconds=3600&fieldSelector=metadata.name=" + name
}

// gather opens n watches: all of a connection at once, while those of the one before it are
// still being answered.
func gather(t *testing.T, addr string, conf *tls.Config, n int) *crowd {
	t.Helper()
	c := &crowd{t: t, events: map[place]int{}}
	c.changed = sync.NewCond(&c.mu)
	for i := range n {
		if i%perConn == 0 {
			c.wait(func() bool { return c.open >= i-perConn })
			one, err := dial(addr, conf, c.hear)
			if err != nil {
				t.Fatal(err)
			}
			c.conns = append(c.conns, one)
		}
		if _, err := c.conns[i/perConn].get(watchOf(name(i))); err != nil {
			t.Fatal(err)
		}
	}
	c.wait(func() bool { return c.open == n })
	return c
}

// at is where the watch of name(i) is: a client's streams have the odd numbers.
func (c *crowd) at(i int) place { return place{c.conns[i/perConn], uint32(2*(i%perConn) + 1)} }

// hear is called with all that arrives.
func (c *crowd) hear(m message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.changed.Broadcast()
	switch {
	case c.leaving || c.wrong != "":
	case m.last || m.status != "" && m.status != "200":
		c.wrong = fmt.Sprintf("after %d were open, that of stream %d ended: %s %s", c.open, m.stream, m.status, m.data)
	case m.status != "":
		c.open++
	case len(m.data) > 0 && !bytes.Contains(m.data, []byte(`"type":"BOOKMARK"`)):
		c.events[place{m.conn, m.stream}]++
	}
}

// wait returns when ok, which is called with c.mu held.
func (c *crowd) wait(ok func() bool) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for !ok() && c.wrong == "" {
		c.changed.Wait()
	}
	if c.wrong != "" {
		c.t.Fatal(c.wrong)
	}
}

// leave gives the watches up one by one on every other connection, and breaks the others off.
func (c *crowd) leave() {
	c.mu.Lock()
	c.leaving = true
	c.mu.Unlock()
	for i, one := range c.conns {
		for s := uint32(1); i%2 == 0 && s < one.next; s += 2 {
			if err := one.leave(s); err != nil {
				c.t.Error(err)
			}
		}
		if i%2 == 1 {
			one.close()
		}
	}
}

// end closes what leave has left open.
func (c *crowd) end() {
	for _, one := range c.conns {
		one.close()
	}
}
