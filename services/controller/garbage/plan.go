package garbage

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

// standing is what is known of an object's owner.
type standing int

const (
	// present: the owner is there, or nobody can tell (its kind is unknown).
	present standing = iota
	// waiting: it is being deleted in the foreground, after its dependents.
	waiting
	// absent: there is no object of that name and uid.
	absent
)

// dependent is an object that names another as its owner.
type dependent struct {
	ref    schemas.Ref
	object schemas.Object
}

// Plan is what becomes of one object and of those that depend on it.
type Plan struct {
	// Delete the object, in this way.
	Delete metav1.DeletionPropagation
	// Drop are the uids of owners to be removed from the object's references.
	Drop []types.UID
	// Finalizers to be removed from the object.
	Finalize []string
	// Orphan are dependents whose reference to the object is removed.
	Orphan []dependent
	// Unblock the object's owners before deleting it: an object that waits for a
	// dependent which waits for it would wait for ever.
	Unblock bool
}

// plan decides for obj, whose owners stand as told, and whose dependents are deps.
func plan(obj schemas.Object, owners map[types.UID]standing, deps []dependent) Plan {
	var p Plan
	if obj.GetDeletionTimestamp() != nil {
		p.finish(obj, deps)
		return p
	}
	p.collect(obj, owners, deps)
	return p
}

// finish lets an object go that is being deleted, once its dependents are dealt with.
func (p *Plan) finish(obj schemas.Object, deps []dependent) {
	if has(obj, metav1.FinalizerOrphanDependents) {
		p.Orphan = deps
		p.Finalize = append(p.Finalize, metav1.FinalizerOrphanDependents)
		return
	}
	if !has(obj, metav1.FinalizerDeleteDependents) {
		return
	}
	blocked := false
	for _, d := range deps {
		for _, r := range d.object.GetOwnerReferences() {
			blocked = blocked || r.UID == obj.GetUID() && r.BlockOwnerDeletion != nil && *r.BlockOwnerDeletion
		}
	}
	if !blocked {
		p.Finalize = append(p.Finalize, metav1.FinalizerDeleteDependents)
	}
}

// collect deletes an object whose owners are all gone or wait for it.
func (p *Plan) collect(obj schemas.Object, owners map[types.UID]standing, deps []dependent) {
	refs := obj.GetOwnerReferences()
	if len(refs) == 0 {
		return
	}
	count := map[standing]int{}
	for _, r := range refs {
		s := owners[r.UID]
		count[s]++
		if s != present {
			p.Drop = append(p.Drop, r.UID)
		}
	}
	if count[present] > 0 {
		return
	}
	p.Drop = nil
	switch {
	case count[waiting] > 0 && len(deps) > 0:
		p.Delete = metav1.DeletePropagationForeground
		for _, d := range deps {
			if d.object.GetDeletionTimestamp() != nil && has(d.object, metav1.FinalizerDeleteDependents) {
				p.Unblock = true
			}
		}
	case has(obj, metav1.FinalizerOrphanDependents):
		p.Delete = metav1.DeletePropagationOrphan
	case has(obj, metav1.FinalizerDeleteDependents):
		p.Delete = metav1.DeletePropagationForeground
	default:
		p.Delete = metav1.DeletePropagationBackground
	}
}

func has(obj schemas.Object, finalizer string) bool {
	return slices.Contains(obj.GetFinalizers(), finalizer)
}

// without returns a copy of obj without the references to the uids.
func without(obj schemas.Object, uids ...types.UID) schemas.Object {
	out := obj.DeepCopyObject().(schemas.Object)
	out.SetOwnerReferences(slices.DeleteFunc(slices.Clone(out.GetOwnerReferences()), func(r metav1.OwnerReference) bool {
		return slices.Contains(uids, r.UID)
	}))
	return out
}

// unblocking returns a copy of obj whose references block no owner's deletion.
func unblocking(obj schemas.Object) schemas.Object {
	out := obj.DeepCopyObject().(schemas.Object)
	refs := slices.Clone(out.GetOwnerReferences())
	no := false
	for i := range refs {
		refs[i].BlockOwnerDeletion = &no
	}
	out.SetOwnerReferences(refs)
	return out
}

// unfinalized returns a copy of obj without the finalizers.
func unfinalized(obj schemas.Object, finalizers []string) schemas.Object {
	out := obj.DeepCopyObject().(schemas.Object)
	out.SetFinalizers(slices.DeleteFunc(slices.Clone(out.GetFinalizers()), func(f string) bool {
		return slices.Contains(finalizers, f)
	}))
	return out
}
