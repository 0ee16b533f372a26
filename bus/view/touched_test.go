package view

import (
	"fmt"
	"testing"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

// TestTouchedIsBounded: it is about the nodes that there are, whatever came and went on them.
func TestTouchedIsBounded(t *testing.T) {
	seen, rev := touched{}, store.Revision(0)
	take := func(k bus.Key, deleted bool) {
		t.Helper()
		key, err := bus.ParseStateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		rev++
		seen.take(key, store.Entry{Key: k, Revision: rev, Deleted: deleted})
	}
	for i := range 1000 {
		node := schemas.NodeName(fmt.Sprintf("n%d", i))
		own := bus.DesiredKey(schemas.Ref{Resource: schemas.Nodes, Name: schemas.Name(node)})
		order := bus.AssignedKey(node, "default", "p")
		take(own, false)
		take(order, false)
		take(bus.AssignedKey("", "default", "p"), false)
		take(order, true)
		if i >= 10 {
			take(own, true)
			take(order, false) // the scheduler has not heard yet
			take(order, true)
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d nodes are remembered of 10", len(seen))
	}
}
