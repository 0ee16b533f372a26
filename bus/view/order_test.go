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
	objects := map[name]*object{}
	there := map[name]bool{}
	var o ordered
	for step := range 2000 {
		r := name{schemas.Namespace(fmt.Sprintf("ns%d", dice.IntN(3))), schemas.Name(fmt.Sprintf("n%d", dice.IntN(40)))}
		if there[r] {
			delete(there, r)
			objects[r].joined, o.removed = nil, true
			if dice.IntN(2) == 0 {
				delete(objects, r) // forgotten, and made anew if it comes again
			}
		} else {
			there[r] = true
			if objects[r] == nil {
				objects[r] = &object{name: r}
			}
			objects[r].joined = &corev1.Pod{}
			o.add(objects[r])
		}
		if dice.IntN(4) > 0 {
			continue
		}
		if o.dirty() {
			o.refresh()
		}
		for _, ns := range []schemas.Namespace{"", "ns0", "ns1", "ns2", "ns"} {
			var want []name
			for r := range there {
				if ns == "" || r.space == ns {
					want = append(want, r)
				}
			}
			slices.SortFunc(want, compareNames)
			var got []name
			for _, in := range o.in(ns) {
				got = append(got, in.name)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("step %d, namespace %q: %v, want %v", step, ns, got, want)
			}
		}
	}
}

// TestSortedAsItGrows: whoever lists first does not sort all that was ever added.
func TestSortedAsItGrows(t *testing.T) {
	var o ordered
	for n := range 100_000 {
		r := name{"ns", schemas.Name(fmt.Sprint(n * 7919 % 100_000))}
		o.add(&object{name: r, joined: &corev1.Pod{}})
		if most := max(minSorted, len(o.sorted)/8); len(o.added) > most {
			t.Fatalf("%d of %d wait to be sorted", len(o.added), n)
		}
	}
	o.refresh()
	if !slices.IsSortedFunc(o.sorted, func(a, b *object) int { return compareNames(a.name, b.name) }) || len(o.sorted) != 100_000 {
		t.Errorf("%d, in no order", len(o.sorted))
	}
}
