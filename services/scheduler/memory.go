package scheduler

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas/placement"
)

// remembered is how many of the last choices are remembered, some 150 bytes each.
const remembered = 50_000

// memory keeps what decided the last choices of this leader, of pods that are there, for who asks why.
// Safe for concurrent use.
type memory struct {
	mu    sync.Mutex
	of    map[types.UID]placement.Decided
	order []types.UID // as they were made; some are dropped
}

func newMemory() *memory { return &memory{of: map[types.UID]placement.Decided{}} }

func (m *memory) put(uid types.UID, d placement.Decided) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.of[uid]; !ok {
		m.order = append(m.order, uid)
	}
	m.of[uid] = d
	for len(m.of) > remembered {
		delete(m.of, m.order[0])
		m.order = m.order[1:]
	}
	if len(m.order) > 2*len(m.of)+1024 { // pods that are gone
		kept := make([]types.UID, 0, len(m.of))
		for _, u := range m.order {
			if _, ok := m.of[u]; ok {
				kept = append(kept, u)
			}
		}
		m.order = kept
	}
}

// drop forgets the choice of a pod that is gone.
func (m *memory) drop(uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.of, uid)
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
