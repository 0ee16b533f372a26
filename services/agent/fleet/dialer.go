//go:build linux

package fleet

import (
	"errors"
	"net"
	"sync"
	"time"
)

// errCut is what dialling gives while the cable is out.
var errCut = errors.New("simulated: the network is cut")

// Dialer connects one node, and can be cut: what is open breaks, and nothing opens
// until it is mended. Safe for concurrent use.
type Dialer struct {
	mu   sync.Mutex
	cut  bool
	open net.Conn
}

// Dial implements the dialer of bus.Options.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	if d.isCut() {
		return nil, errCut
	}
	c, err := net.DialTimeout(network, address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cut {
		return nil, errors.Join(errCut, c.Close())
	}
	d.open = c
	return c, nil
}

func (d *Dialer) isCut() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cut
}

// Cut breaks the connection.
func (d *Dialer) Cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut = true
	if d.open != nil {
		_ = d.open.Close() // it is broken either way
		d.open = nil
	}
}

// Mend lets the node come back.
func (d *Dialer) Mend() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut = false
}
