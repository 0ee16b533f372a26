package share

import (
	"hash/maphash"
	"slices"
	"sync"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
)

// remembered is how many bytes of text each sort of piece is remembered by, in each of
// two generations.
const remembered = 256 << 10

// Pool remembers pieces of pods. Safe for concurrent use; New makes one.
type Pool struct {
	mu      sync.Mutex
	rest    []byte // scratch: what is decoded for each pod by itself
	place   []byte // scratch: a spec without its node
	frame   []byte // scratch: a pod without what tells it from others
	frames  pieces[*v1.Pod]
	specs   pieces[v1.PodSpec]
	maps    pieces[map[string]string]
	owners  pieces[[]metav1.OwnerReference]
	managed pieces[[]metav1.ManagedFieldsEntry]
	conds   pieces[[]v1.PodCondition]
	hosts   pieces[[]v1.HostIP]
	times   pieces[*metav1.Time]
	texts   pieces[string]
	running *v1.ContainerStateRunning       // the last one
	started *metav1.Time                    // likewise
	lists   [2]map[uint64][]v1.PodCondition // conditions by their digest, in two generations
}

// New returns a pool that remembers nothing yet.
func New() *Pool { return &Pool{} }

// pieces are values by their JSON. When there are many the older half is forgotten: then
// they are only shared no longer.
type pieces[T any] struct {
	now, before map[string]T
	size        int
}

// get returns the value of raw, decoded once.
func (p *pieces[T]) get(raw []byte) (T, error) {
	v, ok := p.known(raw)
	if ok {
		return v, nil
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, &v); err != nil {
		return v, err
	}
	p.put(string(raw), v)
	return v, nil
}

// known returns the value of raw if it is remembered.
func (p *pieces[T]) known(raw []byte) (T, bool) {
	if v, ok := p.now[string(raw)]; ok {
		return v, true
	}
	v, ok := p.before[string(raw)]
	if ok {
		p.put(string(raw), v)
	}
	return v, ok
}

func (p *pieces[T]) put(key string, v T) {
	if p.now == nil || p.size+len(key) > remembered {
		p.before, p.now, p.size = p.now, map[string]T{}, 0
	}
	p.now[key] = v
	p.size += len(key)
}

// same returns a string that is equal to s, the same for all.
func (p *Pool) same(s string) string {
	if v, ok := p.texts.now[s]; ok || s == "" {
		return v
	}
	if v, ok := p.texts.before[s]; ok {
		s = v
	}
	p.texts.put(s, s)
	return s
}

// Texts has strings in memory once that are equal to others.
func (p *Pool) Texts(texts ...*string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range texts {
		*t = p.same(*t)
	}
}

// set decodes raw into to, shared.
func set[T any](p *pieces[T], raw []byte, to *T) bool {
	v, err := p.get(raw)
	*to = v
	return err == nil
}

// keptLists is how many lists of conditions are remembered, in each of two generations.
const keptLists = 512

var listSeed = maphash.MakeSeed()

// Conditions returns conditions that are equal to c, the same for all, which nobody may change.
func (p *Pool) Conditions(c []v1.PodCondition) []v1.PodCondition {
	if len(c) == 0 {
		return c
	}
	var h maphash.Hash
	h.SetSeed(listSeed)
	for i := range c {
		maphash.WriteComparable(&h, c[i])
	}
	sum := h.Sum64()
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.lists[0][sum]; slices.Equal(known, c) {
		return known
	}
	if known := p.lists[1][sum]; slices.Equal(known, c) {
		c = known
	}
	if p.lists[0] == nil || len(p.lists[0]) == keptLists {
		p.lists[0], p.lists[1] = map[uint64][]v1.PodCondition{}, p.lists[0]
	}
	p.lists[0][sum] = c
	return c
}
