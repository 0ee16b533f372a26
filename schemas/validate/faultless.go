package validate

import (
	"crypto/sha256"
	"slices"
	"sync"

	v1 "k8s.io/api/core/v1"
)

// faultless remembers the last specs of pods that no rule had anything against.
var faultless specs

// rememberedSpecs is how many there are at least.
const rememberedSpecs = 512

// specs are digests of specs. When there are many the older half is forgotten. Safe for
// concurrent use.
type specs struct {
	mu          sync.Mutex
	now, before map[[sha256.Size]byte]bool
}

// sum is the digest of all that a spec says, in protobuf, which is made in a quarter of the
// time of a text; not ok for one whose faults depend on its pod's name, and on what the spec
// does not tell.
func (*specs) sum(s *v1.PodSpec) (digest [sha256.Size]byte, ok bool) {
	if slices.ContainsFunc(s.Volumes, func(v v1.Volume) bool { return v.Ephemeral != nil }) {
		return digest, false
	}
	data, err := s.Marshal()
	return sha256.Sum256(data), err == nil
}

func (m *specs) has(digest [sha256.Size]byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now[digest] || m.before[digest]
}

func (m *specs) add(digest [sha256.Size]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now == nil || len(m.now) >= rememberedSpecs {
		m.before, m.now = m.now, map[[sha256.Size]byte]bool{}
	}
	m.now[digest] = true
}
