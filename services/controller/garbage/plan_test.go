package garbage

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

func object(uid types.UID, going bool, finalizers []string, owners ...types.UID) *corev1.ConfigMap {
	o := &corev1.ConfigMap{}
	o.UID, o.Finalizers = uid, finalizers
	if going {
		o.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	}
	yes := true
	for _, u := range owners {
		o.OwnerReferences = append(o.OwnerReferences, metav1.OwnerReference{UID: u, BlockOwnerDeletion: &yes})
	}
	return o
}

func TestPlan(t *testing.T) {
	foreground, orphan := []string{metav1.FinalizerDeleteDependents}, []string{metav1.FinalizerOrphanDependents}
	child := dependent{object: object("child", false, nil, "me")}
	waitingChild := dependent{object: object("child", true, foreground, "me")}
	free := object("free", false, nil, "me")
	free.OwnerReferences[0].BlockOwnerDeletion = nil
	tests := map[string]struct {
		obj    *corev1.ConfigMap
		owners map[types.UID]standing
		deps   []dependent
		want   string
	}{
		"no owners":                    {object("me", false, nil), nil, nil, ""},
		"owner present":                {object("me", false, nil, "a"), map[types.UID]standing{"a": present}, nil, ""},
		"owner gone":                   {object("me", false, nil, "a"), map[types.UID]standing{"a": absent}, nil, "delete Background"},
		"one of two gone":              {object("me", false, nil, "a", "b"), map[types.UID]standing{"a": absent, "b": present}, nil, "drop [a]"},
		"one of two waits":             {object("me", false, nil, "a", "b"), map[types.UID]standing{"a": waiting, "b": present}, nil, "drop [a]"},
		"owner waits, no dependents":   {object("me", false, nil, "a"), map[types.UID]standing{"a": waiting}, nil, "delete Background"},
		"owner waits, with dependents": {object("me", false, nil, "a"), map[types.UID]standing{"a": waiting}, []dependent{child}, "delete Foreground"},
		"owner waits in a circle":      {object("me", false, nil, "a"), map[types.UID]standing{"a": waiting}, []dependent{waitingChild}, "unblock delete Foreground"},
		"gone, but orphan asked":       {object("me", false, orphan, "a"), map[types.UID]standing{"a": absent}, nil, "delete Orphan"},
		"going, nothing asked":         {object("me", true, nil, "a"), nil, []dependent{child}, ""},
		"foreground, blocked":          {object("me", true, foreground), nil, []dependent{child}, ""},
		"foreground, not blocked":      {object("me", true, foreground), nil, []dependent{{object: free}}, "finalize [foregroundDeletion]"},
		"foreground, none left":        {object("me", true, foreground), nil, nil, "finalize [foregroundDeletion]"},
		"orphan":                       {object("me", true, orphan), nil, []dependent{child}, "orphan 1 finalize [orphan]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := render(plan(tt.obj, tt.owners, tt.deps)); got != tt.want {
				t.Errorf("plan = %q, want %q", got, tt.want)
			}
		})
	}
}

func render(p Plan) (s string) {
	add := func(f string, args ...any) {
		if s != "" {
			s += " "
		}
		s += fmt.Sprintf(f, args...)
	}
	if len(p.Orphan) > 0 {
		add("orphan %d", len(p.Orphan))
	}
	if p.Unblock {
		add("unblock")
	}
	if p.Delete != "" {
		add("delete %s", p.Delete)
	}
	if len(p.Drop) > 0 {
		add("drop %v", p.Drop)
	}
	if len(p.Finalize) > 0 {
		add("finalize %v", p.Finalize)
	}
	return s
}

// crowd is a view of pods that all have one owner.
type crowd struct {
	cluster.Reader
	nodes map[string]string // by pod
}

func (c crowd) OwnedBy(string) (refs []schemas.Ref) {
	for _, name := range slices.Sorted(maps.Keys(c.nodes)) {
		refs = append(refs, schemas.Ref{Resource: schemas.Pods, Namespace: "ns", Name: schemas.Name(name)})
	}
	return refs
}

func (c crowd) Get(ref schemas.Ref) (schemas.Object, bool) {
	node, ok := c.nodes[string(ref.Name)]
	return &corev1.Pod{Spec: corev1.PodSpec{NodeName: node}}, ok
}

// TestNodeByNode: pods of one node are collected one after the other.
func TestNodeByNode(t *testing.T) {
	k := New(&cluster.Cluster{View: crowd{nodes: map[string]string{"a": "n2", "b": "n1", "c": "n2", "d": "", "e": "n1"}}})
	var got []string
	for _, ref := range k.Keys(view.Change{Type: view.Deleted, Object: object("owner", false, nil)}) {
		got = append(got, string(ref.Name))
	}
	if want := []string{"d", "b", "e", "a", "c"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
