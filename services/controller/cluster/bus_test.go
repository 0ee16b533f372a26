package cluster

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/join"
	"github.com/skerry/skerry/schemas/kinds"
)

func TestConclusion(t *testing.T) {
	kind := kinds.Table().ByResource(schemas.Pods)
	ref := schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: "p"}
	pod := func(uid types.UID, message string) *corev1.Pod {
		p := &corev1.Pod{}
		p.Name, p.Namespace, p.UID, p.Status.Message = "p", "default", uid, message
		return p
	}
	stored := func(uid types.UID) store.Entry {
		b, err := json.Marshal(join.StatusOnly(kind, pod(uid, "old")))
		if err != nil {
			t.Fatal(err)
		}
		return store.Entry{Value: b, Revision: 7}
	}
	tests := map[string]struct {
		entry   store.Entry
		next    *corev1.Pod
		sees    bool // f is shown the old conclusion
		writes  bool
		deletes bool
		at      store.Revision
	}{
		"first":                   {store.Entry{}, pod("u", "new"), false, true, false, 0},
		"after a delete marker":   {store.Entry{Deleted: true, Revision: 5}, pod("u", "new"), false, true, false, 0},
		"changed":                 {stored("u"), pod("u", "new"), true, true, false, 7},
		"unchanged":               {stored("u"), pod("u", "old"), true, false, false, 0},
		"over another's":          {stored("before"), pod("u", "new"), false, true, false, 7},
		"none any more":           {stored("u"), nil, true, true, true, 7},
		"none, and there is none": {store.Entry{}, nil, false, false, false, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			op, err := conclusion(kind, ref, tt.entry, "u", func(was schemas.Object) schemas.Object {
				if (was != nil) != tt.sees {
					t.Errorf("shown %v", was)
				}
				if tt.next == nil {
					return nil
				}
				return tt.next
			})
			if err != nil || (op != nil) != tt.writes {
				t.Fatalf("op = %+v, %v", op, err)
			}
			if op != nil && (op.Revision != tt.at || (op.Value == nil) != tt.deletes) {
				t.Errorf("op = %+v", op)
			}
		})
	}
}
