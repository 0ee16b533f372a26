package view

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
)

// TestOrdered compares the order with a plain sorted set after each of many changes.
func TestOrdered(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	objects := map[schemas.Ref]*object{}
	there := map[schemas.Ref]bool{}
	var o ordered
	for step := range 2000 {
		r := schemas.Ref{Namespace: schemas.Namespace(fmt.Sprintf("ns%d", dice.IntN(3))), Name: schemas.Name(fmt.Sprintf("n%d", dice.IntN(40)))}
		if there[r] {
			delete(there, r)
			objects[r].joined, o.removed = nil, true
			if dice.IntN(2) == 0 {
				delete(objects, r) // forgotten, and made anew if it comes again
			}
		} else {
			there[r] = true
			if objects[r] == nil {
				objects[r] = &object{ref: r}
			}
			objects[r].joined = &corev1.Pod{}
			o.added = append(o.added, objects[r])
		}
		if dice.IntN(4) > 0 {
			continue
		}
		if o.dirty() {
			o.refresh()
		}
		for _, ns := range []schemas.Namespace{"", "ns0", "ns1", "ns2", "ns"} {
			var want []schemas.Ref
			for r := range there {
				if ns == "" || r.Namespace == ns {
					want = append(want, r)
				}
			}
			slices.SortFunc(want, compareRefs)
			var got []schemas.Ref
			for _, in := range o.in(ns) {
				got = append(got, in.ref)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("step %d, namespace %q: %v, want %v", step, ns, got, want)
			}
		}
	}
}
