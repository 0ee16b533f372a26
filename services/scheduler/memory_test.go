package scheduler

import (
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/placement"
	"github.com/skerry/skerry/services/scheduler/place"
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
		t.Errorf("%d choices are remembered in an order of %d", len(m.of), len(m.order))
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

// TestMemoryForgetsWhoIsGone: where pods are replaced, no more is remembered than there are pods.
func TestMemoryForgetsWhoIsGone(t *testing.T) {
	const pods = 100
	s := &scheduler{state: newMirror("default-scheduler", place.Policy{}), memory: newMemory()}
	for i := range 20 * pods {
		s.memory.put(types.UID(fmt.Sprint(i)), placement.Decided{Node: "n1"})
		if i >= pods {
			gone := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprint(i - pods), UID: types.UID(fmt.Sprint(i - pods))}}
			s.change(view.Change{Type: view.Deleted, Ref: schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: schemas.Name(gone.Name)}, Object: gone, Old: gone})
		}
	}
	if len(s.memory.of) != pods || len(s.memory.order) > 2*pods+1024 {
		t.Errorf("%d choices are remembered, in an order of %d, of %d pods", len(s.memory.of), len(s.memory.order), pods)
	}
	if s.memory.get(types.UID(fmt.Sprint(20*pods-1)), "n1") == nil {
		t.Error("the choice of a pod that is there is forgotten")
	}
}
