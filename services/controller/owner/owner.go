// Package owner decides which objects a controller owns: those that it made, those
// without an owner that its selector takes in, and those that it lets go again.
//
// Reads: what it is given, and whether a controller is still there before it adopts.
// Writes: owner references, through the apiserver. What always holds: an object has at most one
// controller; nothing is taken from another controller; a controller that is being
// deleted adopts nothing.
package owner

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

// Claim is what a controller makes of the objects around it.
type Claim[T schemas.Object] struct {
	// Mine are owned already and selected.
	Mine []T
	// Adopt are selected and have no controller: they become Mine once written.
	Adopt []T
	// Release are owned but no longer selected.
	Release []T
}

// Sort sorts the candidates, which live in the controller's namespace.
func Sort[T schemas.Object](controller schemas.Object, selector labels.Selector, candidates []T) Claim[T] {
	var c Claim[T]
	going := controller.GetDeletionTimestamp() != nil
	for _, o := range candidates {
		ref := metav1.GetControllerOfNoCopy(o)
		selected := selector.Matches(labels.Set(o.GetLabels()))
		switch {
		case ref != nil && ref.UID != controller.GetUID():
		case ref != nil && selected:
			c.Mine = append(c.Mine, o)
		case ref != nil && !going && o.GetDeletionTimestamp() == nil:
			c.Release = append(c.Release, o)
		case ref == nil && selected && !going && o.GetDeletionTimestamp() == nil:
			c.Adopt = append(c.Adopt, o)
		}
	}
	return c
}

// Adopted returns a copy of o with ref as its controller.
func Adopted[T schemas.Object](o T, ref metav1.OwnerReference) T {
	out := o.DeepCopyObject().(T)
	out.SetOwnerReferences(append(without(out.GetOwnerReferences(), ref.UID), ref))
	return out
}

// Released returns a copy of o that uid does not own.
func Released[T schemas.Object](o T, uid types.UID) T {
	out := o.DeepCopyObject().(T)
	out.SetOwnerReferences(without(out.GetOwnerReferences(), uid))
	return out
}

func without(refs []metav1.OwnerReference, uid types.UID) []metav1.OwnerReference {
	var out []metav1.OwnerReference
	for _, r := range refs {
		if r.UID != uid {
			out = append(out, r)
		}
	}
	return out
}
