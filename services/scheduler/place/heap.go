package place

import "math"

// ranking keeps the slots in order of their local scores, as a heap. It is for classes
// whose nodes differ in nothing else: finding the best and noting a change are then a
// few steps, however many nodes there are.
type ranking struct {
	score []float32 // the class's local scores
	tie   []uint64  // the cluster's
	heap  []int32
	at    []int32 // slot → place in heap
}

var shutScore = float32(math.Inf(-1))

func newRanking(score []float32, tie []uint64) *ranking {
	r := &ranking{score: score, tie: tie, heap: make([]int32, len(score)), at: make([]int32, len(score))}
	for s := range score {
		r.heap[s], r.at[s] = int32(s), int32(s)
	}
	for i := len(score)/2 - 1; i >= 0; i-- {
		r.down(i)
	}
	return r
}

// best is the slot with the highest score, or -1 if all are shut.
func (r *ranking) best() int {
	if len(r.heap) == 0 || r.score[r.heap[0]] == shutScore {
		return -1
	}
	return int(r.heap[0])
}

// fix puts a slot, whose score has changed, in its place.
func (r *ranking) fix(slot int) {
	i := int(r.at[slot])
	if !r.down(i) {
		r.up(i)
	}
}

func (r *ranking) before(a, b int32) bool {
	if r.score[a] != r.score[b] {
		return r.score[a] > r.score[b]
	}
	return r.tie[a] > r.tie[b]
}

func (r *ranking) swap(i, j int) {
	r.heap[i], r.heap[j] = r.heap[j], r.heap[i]
	r.at[r.heap[i]], r.at[r.heap[j]] = int32(i), int32(j)
}

func (r *ranking) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !r.before(r.heap[i], r.heap[parent]) {
			return
		}
		r.swap(i, parent)
		i = parent
	}
}

func (r *ranking) down(i int) bool {
	from := i
	for {
		child := 2*i + 1
		if child >= len(r.heap) {
			break
		}
		if child+1 < len(r.heap) && r.before(r.heap[child+1], r.heap[child]) {
			child++
		}
		if !r.before(r.heap[child], r.heap[i]) {
			break
		}
		r.swap(i, child)
		i = child
	}
	return i > from
}
