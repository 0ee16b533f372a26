package view

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/skerry/skerry/schemas"
)

// TestOrdered compares the order with a plain sorted set after each of many changes.
func TestOrdered(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	there := map[schemas.Ref]bool{}
	var o ordered
	for step := range 2000 {
		r := schemas.Ref{Namespace: schemas.Namespace(fmt.Sprintf("ns%d", dice.IntN(3))), Name: schemas.Name(fmt.Sprintf("n%d", dice.IntN(40)))}
		if there[r] {
			delete(there, r)
			o.removed = true
		} else {
			there[r] = true
			o.added = append(o.added, r)
		}
		if dice.IntN(4) > 0 {
			continue
		}
		if o.dirty() {
			o.refresh(func(r schemas.Ref) bool { return there[r] })
		}
		for _, ns := range []schemas.Namespace{"", "ns0", "ns1", "ns2", "ns"} {
			var want []schemas.Ref
			for r := range there {
				if ns == "" || r.Namespace == ns {
					want = append(want, r)
				}
			}
			slices.SortFunc(want, compareRefs)
			if got := o.in(ns); !slices.Equal(got, want) {
				t.Fatalf("step %d, namespace %q: %v, want %v", step, ns, got, want)
			}
		}
	}
}
