package view

import (
	"cmp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

// sets are sets of objects by some property of theirs.
type sets[K comparable] map[K]map[*object]struct{}

func (s sets[K]) add(k K, o *object) {
	if s[k] == nil {
		s[k] = map[*object]struct{}{}
	}
	s[k][o] = struct{}{}
}

func (s sets[K]) remove(k K, o *object) {
	delete(s[k], o)
	if len(s[k]) == 0 {
		delete(s, k)
	}
}

// list returns the joined objects of a set, in no order.
func (s sets[K]) list(k K) []schemas.Object {
	out := make([]schemas.Object, 0, len(s[k]))
	for o := range s[k] {
		out = append(out, o.joined)
	}
	return out
}

// index finds joined objects; only those that have a desired part are in it.
type index struct {
	orders  map[schemas.Resource]*ordered
	owners  sets[types.UID]
	nodes   sets[schemas.NodeName]
	loose   sets[schemas.Namespace] // pods without a controller
	orphans sets[string]            // by prefix: objects with a part there that belongs to nothing
}

func newIndex() index {
	return index{
		orders:  map[schemas.Resource]*ordered{},
		owners:  sets[types.UID]{},
		nodes:   sets[schemas.NodeName]{},
		loose:   sets[schemas.Namespace]{},
		orphans: sets[string]{},
	}
}

// replace moves o's entries from what it was joined to before, old, to what it is now;
// either may be nil.
func (x *index) replace(o *object, old schemas.Object) {
	ref, now := o.ref(), o.joined
	if old != nil {
		for _, owner := range old.GetOwnerReferences() {
			x.owners.remove(owner.UID, o)
		}
		if ref.Resource == schemas.Pods {
			x.nodes.remove(nodeOf(old), o)
			x.loose.remove(ref.Namespace, o)
		}
	}
	if now != nil {
		for _, owner := range now.GetOwnerReferences() {
			x.owners.add(owner.UID, o)
		}
		if ref.Resource == schemas.Pods {
			x.nodes.add(nodeOf(now), o)
			if metav1.GetControllerOfNoCopy(now) == nil {
				x.loose.add(ref.Namespace, o)
			}
		}
	}
	if (now == nil) == (old == nil) {
		return
	}
	order := x.orders[ref.Resource]
	if order == nil {
		order = &ordered{}
		x.orders[ref.Resource] = order
	}
	if now != nil {
		order.add(o)
	} else {
		order.removed = true
	}
}

// mark notes under which prefixes o has orphans.
func (x *index) mark(o *object) {
	for _, prefix := range dependent {
		x.orphans.remove(prefix, o)
	}
	for p := range o.orphans() {
		x.orphans.add(p.prefix(), o)
	}
}

// nodeOf is the node that a joined pod is placed on.
func nodeOf(pod schemas.Object) schemas.NodeName {
	switch p := pod.(type) {
	case *corev1.Pod:
		return schemas.NodeName(p.Spec.NodeName)
	case *unstructured.Unstructured:
		name, _, _ := unstructured.NestedString(p.Object, "spec", "nodeName")
		return schemas.NodeName(name)
	}
	return ""
}

func byName(a, b schemas.Object) int {
	return cmp.Or(strings.Compare(a.GetNamespace(), b.GetNamespace()), strings.Compare(a.GetName(), b.GetName()))
}

func byRef(a, b schemas.Ref) int {
	return cmp.Or(
		strings.Compare(a.Resource.Group, b.Resource.Group),
		strings.Compare(a.Resource.Plural, b.Resource.Plural),
		strings.Compare(string(a.Namespace), string(b.Namespace)),
		strings.Compare(string(a.Name), string(b.Name)),
	)
}
