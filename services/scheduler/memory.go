package scheduler

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas/placement"
)

// remembered is how many of the last choices are remembered, some 150 bytes each.
const remembered = 50_000

// memory keeps what decided the last choices of this leader, for who asks why. Safe for
// concurrent use.
type memory struct {
	mu    sync.Mutex
	of    map[types.UID]placement.Decided
	order []types.UID // a ring
	next  int
}

func newMemory() *memory { return &memory{of: map[types.UID]placement.Decided{}} }

func (m *memory) put(uid types.UID, d placement.Decided) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.of[uid]; !ok {
		if len(m.order) < remembered {
			m.order = append(m.order, uid)
		} else {
			delete(m.of, m.order[m.next])
			m.order[m.next] = uid
			m.next = (m.next + 1) % remembered
		}
	}
	m.of[uid] = d
}

func (m *memory) get(uid types.UID, node string) *placement.Decided {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.of[uid]
	if !ok || d.Node != node {
		return nil
	}
	return &d
}
