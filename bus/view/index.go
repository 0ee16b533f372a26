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

// refs is a set of objects by some property of theirs.
type refs[K comparable] map[K]map[schemas.Ref]struct{}

func (r refs[K]) add(k K, ref schemas.Ref) {
	if r[k] == nil {
		r[k] = map[schemas.Ref]struct{}{}
	}
	r[k][ref] = struct{}{}
}

func (r refs[K]) remove(k K, ref schemas.Ref) {
	delete(r[k], ref)
	if len(r[k]) == 0 {
		delete(r, k)
	}
}

func (r refs[K]) list(k K) []schemas.Ref {
	out := make([]schemas.Ref, 0, len(r[k]))
	for ref := range r[k] {
		out = append(out, ref)
	}
	return out
}

// index finds joined objects; only those that have a desired part are in it.
type index struct {
	orders  map[schemas.Resource]*ordered
	owners  refs[types.UID]
	nodes   refs[schemas.NodeName]
	loose   refs[schemas.Namespace] // pods without a controller
	orphans refs[string]            // by prefix: objects with a part there that belongs to nothing
}

func newIndex() index {
	return index{
		orders:  map[schemas.Resource]*ordered{},
		owners:  refs[types.UID]{},
		nodes:   refs[schemas.NodeName]{},
		loose:   refs[schemas.Namespace]{},
		orphans: refs[string]{},
	}
}

// replace moves ref's entries from those of old to those of obj; either may be nil.
func (x *index) replace(ref schemas.Ref, old, obj schemas.Object) {
	if old != nil {
		for _, o := range old.GetOwnerReferences() {
			x.owners.remove(o.UID, ref)
		}
		if ref.Resource == schemas.Pods {
			x.nodes.remove(nodeOf(old), ref)
			x.loose.remove(ref.Namespace, ref)
		}
	}
	if obj != nil {
		for _, o := range obj.GetOwnerReferences() {
			x.owners.add(o.UID, ref)
		}
		if ref.Resource == schemas.Pods {
			x.nodes.add(nodeOf(obj), ref)
			if metav1.GetControllerOfNoCopy(obj) == nil {
				x.loose.add(ref.Namespace, ref)
			}
		}
	}
	if (obj == nil) == (old == nil) {
		return
	}
	o := x.orders[ref.Resource]
	if o == nil {
		o = &ordered{}
		x.orders[ref.Resource] = o
	}
	if obj != nil {
		o.added = append(o.added, ref)
	} else {
		o.removed = true
	}
}

// mark notes under which prefixes ref's object has orphans.
func (x *index) mark(ref schemas.Ref, o *object) {
	for _, prefix := range dependent {
		x.orphans.remove(prefix, ref)
	}
	for p := range o.orphans() {
		x.orphans.add(p.prefix(), ref)
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
