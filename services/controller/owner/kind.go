package owner

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

// Kind is a kind of controllers, and of what they own.
type Kind struct {
	schema.GroupVersionKind
	Resource schemas.Resource
	// Owned is the resource of what they own, in their own namespace.
	Owned schemas.Resource
	// Selector is a controller's; nil if the object is of another type.
	Selector func(controller schemas.Object) *metav1.LabelSelector
}

// Lister lists objects; what it returns is shared.
type Lister interface {
	List(r schemas.Resource, ns schemas.Namespace) []schemas.Object
}

// Writer replaces an object at its resourceVersion.
type Writer interface {
	Update(ctx context.Context, r schemas.Resource, obj schemas.Object, subresource string) (schemas.Object, error)
}

// Truth tells the uid of the object that ref names now, "" if there is none, past every copy.
type Truth interface {
	UID(ctx context.Context, ref schemas.Ref) (types.UID, error)
}

// Ref is the reference that makes controller the controller of an object.
func (k Kind) Ref(controller schemas.Object) metav1.OwnerReference {
	return *metav1.NewControllerRef(controller, k.GroupVersionKind)
}

// Of returns the controllers of this kind that objs have; nil objects have none.
func (k Kind) Of(objs ...schemas.Object) (keys []schemas.Ref) {
	for _, o := range objs {
		if o == nil {
			continue
		}
		if ref := metav1.GetControllerOfNoCopy(o); ref != nil && ref.Kind == k.Kind {
			keys = append(keys, schemas.Ref{Resource: k.Resource, Namespace: schemas.Namespace(o.GetNamespace()), Name: schemas.Name(ref.Name)})
		}
	}
	return keys
}

// Selecting returns the controllers that may adopt o, if it has none.
func (k Kind) Selecting(from Lister, o schemas.Object) (keys []schemas.Ref) {
	if o == nil || metav1.GetControllerOfNoCopy(o) != nil {
		return nil
	}
	for _, controller := range from.List(k.Resource, schemas.Namespace(o.GetNamespace())) {
		selector := k.Selector(controller)
		if selector == nil {
			continue
		}
		if s, err := metav1.LabelSelectorAsSelector(selector); err == nil && !s.Empty() && s.Matches(labels.Set(o.GetLabels())) {
			keys = append(keys, schemas.RefOf(k.Resource, controller))
		}
	}
	return keys
}

// Take adopts and releases candidates for controller, which is of kind k, and returns
// those that are its own then. Before it adopts it makes sure that the controller is
// still there: what is adopted for one that has gone would be garbage.
func Take[T schemas.Object](ctx context.Context, k Kind, to Writer, truth Truth, controller schemas.Object, selector labels.Selector, candidates []schemas.Object) ([]T, error) {
	claim := Sort(controller, selector, only[T](candidates))
	for _, o := range claim.Release {
		if _, err := to.Update(ctx, k.Owned, Released(o, controller.GetUID()), ""); err != nil {
			return nil, fmt.Errorf("release %s %s: %w", k.Owned.Plural, o.GetName(), err)
		}
	}
	if len(claim.Adopt) == 0 {
		return claim.Mine, nil
	}
	if uid, err := truth.UID(ctx, schemas.RefOf(k.Resource, controller)); err != nil || uid != controller.GetUID() {
		return claim.Mine, err
	}
	ref := k.Ref(controller)
	for _, o := range claim.Adopt {
		out, err := to.Update(ctx, k.Owned, Adopted(o, ref), "")
		if err != nil {
			return nil, fmt.Errorf("adopt %s %s: %w", k.Owned.Plural, o.GetName(), err)
		}
		claim.Mine = append(claim.Mine, only[T]([]schemas.Object{out})...)
	}
	return claim.Mine, nil
}

// only returns the objects of type T.
func only[T schemas.Object](objs []schemas.Object) (out []T) {
	for _, o := range objs {
		if t, ok := o.(T); ok {
			out = append(out, t)
		}
	}
	return out
}
