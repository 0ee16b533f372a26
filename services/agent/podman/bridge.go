package podman

import "sync"

// bridges remembers the networks' interfaces on the host, to keep their addresses.
//
// A bridge whose address nobody set takes the lowest of its ports', and netavark (seen
// with 1.4) leaves it so: each pod that goes may change what all others know as their
// gateway's address, and they talk to nobody until they ask again, up to a minute later.
type bridges struct {
	mu sync.Mutex
	of map[string]string // by network
}

func (b *bridges) note(network, bridge string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of == nil {
		b.of = map[string]string{}
	}
	b.of[network] = bridge
}

// pin makes the network's bridge keep the address that it has. An interface that is not
// there, or not in this process' namespace, is left alone.
func (b *bridges) pin(network string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if bridge := b.of[network]; bridge != "" {
		return keepAddress(bridge)
	}
	return nil
}
