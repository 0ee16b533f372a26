package scheduler

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas/placement"
)

// TestMemoryIsBounded: the oldest choices are forgotten, and none is told of a pod that is
// elsewhere by now.
func TestMemoryIsBounded(t *testing.T) {
	m := newMemory()
	uid := func(i int) types.UID { return types.UID(fmt.Sprint(i)) }
	for i := range 2*remembered + 10 {
		m.put(uid(i), placement.Decided{Node: "n1"})
		m.put(uid(i), placement.Decided{Node: "n2"})
	}
	if len(m.of) != remembered || len(m.order) != remembered {
		t.Errorf("%d choices are remembered in a ring of %d", len(m.of), len(m.order))
	}
	for i, want := range map[int]bool{2*remembered + 9: true, remembered + 10: true, remembered + 9: false} {
		if got := m.get(uid(i), "n2"); (got != nil) != want {
			t.Errorf("choice %d: %v, want %v", i, got, want)
		}
	}
	if m.get(uid(2*remembered+9), "n1") != nil {
		t.Error("a choice is told of another node")
	}
}
