package pod

import (
	"context"
	"math/rand/v2"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/share"
	"github.com/skerry/skerry/services/agent/fit"
	"github.com/skerry/skerry/services/agent/sandbox"
)

type ordered map[sandbox.Key]*share.Lean

func (o ordered) Order(k sandbox.Key) (*share.Lean, bool) { return o[k], true }

// TestGrants: the sum that is kept is that of the pods that have something, whatever came and went.
func TestGrants(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	orders := ordered{}
	r := &Reconciler{Config: Config{Orders: orders}}
	for range 2000 {
		name := string(rune('a' + rnd.IntN(8)))
		p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}, Spec: v1.PodSpec{Containers: []v1.Container{{}}}}
		p.Spec.Containers[0].Resources.Requests = v1.ResourceList{v1.ResourceCPU: *resource.NewMilliQuantity(rnd.Int64N(5000), resource.DecimalSI)}
		switch rnd.IntN(4) {
		case 0:
			r.release(p.UID)
		case 1:
			delete(orders, KeyOf(p))
		default:
			l := share.Slim(p)
			orders[KeyOf(p)] = l
			r.grant(grant{order: l})
		}
		if rnd.IntN(3) == 0 {
			r.sweep()
			for uid := range r.granted {
				if orders[sandbox.Key{Name: schemas.Name(uid)}] == nil {
					t.Fatalf("%s has no order any more and still has its room", uid)
				}
			}
		}
		got := r.taken(types.UID(string(rune('a' + rnd.IntN(8)))))
		others := got.Pods()
		want := fit.Taken(others)
		if got.Count != len(others) || got.Taken.Cpu().Cmp(*want.Cpu()) != 0 {
			t.Fatalf("%v is kept, %v is taken by %d", got.Taken.Cpu(), want.Cpu(), len(others))
		}
	}
}

// TestRoomOfNobody: a pod is not refused for the room of one that is ordered no more, and asking
// costs no look at all pods while there is room.
func TestRoomOfNobody(t *testing.T) {
	orders, asked := ordered{}, 0
	r := &Reconciler{Config: Config{Orders: orders, Admit: func(_ context.Context, p *v1.Pod, others fit.Others) Verdict {
		if asked++; others.Count > 1 {
			return Verdict{Refuse: &Eviction{UID: p.UID}, Fleeting: true}
		}
		return Verdict{}
	}}}
	take := func(name string) *entry {
		l := share.Slim(&v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}})
		p := l.Pod()
		orders[KeyOf(p)] = l
		e := &entry{order: l}
		if wait := r.admit(t.Context(), e, Input{Order: p, Synced: true}); wait != 0 && e.admitted {
			t.Errorf("%s is taken and waits", name)
		}
		return e
	}
	take("a")
	take("b")
	delete(orders, sandbox.Key{Name: "a"})
	if e := take("c"); !e.admitted || asked != 4 {
		t.Errorf("taken: %t, asked %d times", e.admitted, asked)
	}
	if e := take("d"); e.admitted || asked != 5 {
		t.Errorf("where there is no room: taken: %t, asked %d times", e.admitted, asked)
	}
}
