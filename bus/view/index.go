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

type place struct {
	resource  schemas.Resource
	namespace schemas.Namespace
}

// index finds joined objects; only those that have a desired part are in it.
type index struct {
	places  refs[place]
	spaces  map[schemas.Resource]map[schemas.Namespace]struct{}
	owners  refs[types.UID]
	nodes   refs[schemas.NodeName]
	loose   refs[schemas.Namespace]  // pods without a controller
	orphans map[schemas.Ref]struct{} // objects with parts that belong to nothing
}

func newIndex() index {
	return index{
		places:  refs[place]{},
		spaces:  map[schemas.Resource]map[schemas.Namespace]struct{}{},
		owners:  refs[types.UID]{},
		nodes:   refs[schemas.NodeName]{},
		loose:   refs[schemas.Namespace]{},
		orphans: map[schemas.Ref]struct{}{},
	}
}

// replace moves ref's entries from those of old to those of obj; either may be nil.
func (x *index) replace(ref schemas.Ref, old, obj schemas.Object) {
	at := place{ref.Resource, ref.Namespace}
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
	switch {
	case obj == nil && old != nil:
		x.places.remove(at, ref)
		if x.places[at] == nil {
			delete(x.spaces[ref.Resource], ref.Namespace)
		}
	case obj != nil && old == nil:
		x.places.add(at, ref)
		if x.spaces[ref.Resource] == nil {
			x.spaces[ref.Resource] = map[schemas.Namespace]struct{}{}
		}
		x.spaces[ref.Resource][ref.Namespace] = struct{}{}
	}
}

// in lists a resource's objects in a namespace, "" for all.
func (x *index) in(r schemas.Resource, ns schemas.Namespace) []schemas.Ref {
	if ns != "" {
		return x.places.list(place{r, ns})
	}
	var out []schemas.Ref
	for ns := range x.spaces[r] {
		out = append(out, x.places.list(place{r, ns})...)
	}
	return out
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
