package view

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
)

// What happens to an object that a late handler has not been told of is the first that it
// hears of it, and it hears of it once.
func TestUntold(t *testing.T) {
	there := schemas.Ref{Resource: schemas.Pods, Namespace: "ns", Name: "a"}
	old, now := &corev1.Pod{}, &corev1.Pod{}
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
			h := &handler{f: func(c Change) { got = append(got, c) }, untold: map[schemas.Ref]struct{}{}}
			if tt.untold {
				h.untold[there] = struct{}{}
			}
			h.tell(Change{Type: tt.is, Ref: there, Object: now, Old: old})
			if len(got) != 1 || got[0].Type != tt.want || (got[0].Old == nil) != (tt.untold && tt.is == Modified) || len(h.untold) != 0 {
				t.Errorf("told %+v, %d left", got, len(h.untold))
			}
			v := &View{objects: map[schemas.Resource]map[name]*object{}}
			v.add(&schemas.Kind{Resource: schemas.Pods}, there).joined = now
			if v.replay(h, []schemas.Ref{there}); len(got) != 1 {
				t.Error("it is told again at its turn")
			}
		})
	}
}
