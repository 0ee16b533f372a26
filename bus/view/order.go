package view

import (
	"slices"
	"strings"

	"github.com/skerry/skerry/schemas"
)

// ordered keeps the objects of one resource in order of namespace and name, brought
// up to date when somebody lists, or when much was added: sorting a hundred thousand of them
// for each page of a list would be most of its time, and for the first one most of what
// whoever asks waits for.
type ordered struct {
	sorted  []*object
	added   []*object // since then; may be gone again
	removed bool      // some of sorted are gone
}

func compareNames(a, b name) int {
	if c := strings.Compare(string(a.space), string(b.space)); c != 0 {
		return c
	}
	return strings.Compare(string(a.name), string(b.name))
}

// add takes in an object. Sorting in what was added when it is an eighth of all costs some
// eight steps for each object, however many there come to be.
func (o *ordered) add(n *object) {
	o.added = append(o.added, n)
	if len(o.added) >= max(minSorted, len(o.sorted)/8) {
		o.refresh()
	}
}

// minSorted is how much is at least added before it is sorted in.
const minSorted = 1024

// dirty tells whether refresh has something to do.
func (o *ordered) dirty() bool { return len(o.added) > 0 || o.removed }

// refresh brings the order up to date: an object that is there no longer is joined to
// nothing.
func (o *ordered) refresh() {
	compare := func(a, b *object) int { return compareNames(a.name, b.name) }
	slices.SortFunc(o.added, compare)
	out := make([]*object, 0, len(o.sorted)+len(o.added))
	take := func(r *object) {
		if r.joined != nil && (len(out) == 0 || out[len(out)-1] != r) {
			out = append(out, r)
		}
	}
	i := 0
	for _, r := range o.added {
		for i < len(o.sorted) && compare(o.sorted[i], r) < 0 {
			take(o.sorted[i])
			i++
		}
		take(r)
	}
	for ; i < len(o.sorted); i++ {
		take(o.sorted[i])
	}
	o.sorted, o.added, o.removed = out, nil, false
}

// in returns those of a namespace, "" for all. They belong to o.
func (o *ordered) in(ns schemas.Namespace) []*object {
	if ns == "" {
		return o.sorted
	}
	byNamespace := func(r *object, ns schemas.Namespace) int {
		return strings.Compare(string(r.name.space), string(ns))
	}
	first, _ := slices.BinarySearchFunc(o.sorted, ns, byNamespace)
	n := 0
	for first+n < len(o.sorted) && o.sorted[first+n].name.space == ns {
		n++
	}
	return o.sorted[first : first+n]
}
