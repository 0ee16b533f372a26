package view

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

func at(rev store.Revision) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: strconv.Itoa(int(rev))}}
}

// What happens to an object that a late handler has not been told of is the first that it
// hears of it, and it hears of it once.
func TestUntold(t *testing.T) {
	there := schemas.Ref{Resource: schemas.Pods, Namespace: "ns", Name: "a"}
	tests := map[string]struct {
		untold   bool
		is, want ChangeType
	}{
		"changed before its turn": {true, Modified, Added},
		"deleted before its turn": {true, Deleted, Deleted},
		"its turn":                {true, Added, Added},
		"changed after":           {false, Modified, Modified},
	}
	for what, tt := range tests {
		t.Run(what, func(t *testing.T) {
			var got []Change
			h := &handler{f: func(c Change) { got = append(got, c) }, at: 7, told: map[schemas.Ref]struct{}{}}
			if tt.untold {
				h.at = 6
			}
			h.tell(Change{Type: tt.is, Ref: there, Object: at(8), Old: at(7)})
			if len(got) != 1 || got[0].Type != tt.want || (got[0].Old == nil) != (tt.untold && tt.is == Modified) {
				t.Errorf("told %+v", got)
			}
			v := &View{objects: map[schemas.Resource]map[name]*object{}}
			o := v.add(&schemas.Kind{Resource: schemas.Pods}, there)
			o.joined, o.rev = at(8), 8
			if v.replay(h, []existing{{o, 8}}); len(got) != 1 {
				t.Error("it is told again at its turn")
			}
			h.tell(Change{Type: Modified, Ref: there, Object: at(9), Old: at(8)})
			if len(got) != 2 || got[1].Type != Modified {
				t.Errorf("a second change: %+v", got)
			}
		})
	}
}

// TestAfter: some at a time, and all of them in the end, in the order of their revisions.
func TestAfter(t *testing.T) {
	v := &View{objects: map[schemas.Resource]map[name]*object{}}
	for i, rev := range rand.New(rand.NewPCG(1, 2)).Perm(100) {
		o := v.add(&schemas.Kind{Resource: schemas.Pods}, schemas.Ref{Resource: schemas.Pods, Name: schemas.Name(fmt.Sprint(i))})
		if o.rev = store.Revision(rev + 1); rev%10 != 0 {
			o.joined = at(o.rev) // others belong to no object
		}
	}
	for _, n := range []int{1, 7, 45, 1000} {
		var rev store.Revision
		got := 0
		for {
			next := v.after(rev, 95, n)
			if len(next) == 0 {
				break
			}
			if len(next) > n {
				t.Fatalf("%d at once, want at most %d", len(next), n)
			}
			for _, o := range next {
				if o.rev <= rev || o.rev > 95 || o.joined == nil {
					t.Fatalf("%d after %d", o.rev, rev)
				}
				rev = o.rev
				got++
			}
		}
		if got != 85 || v.newest() != 100 {
			t.Errorf("%d at a time: %d, newest %d", n, got, v.newest())
		}
	}
}
