package clustertest

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/join"
	"github.com/skerry/skerry/services/controller/pod"
)

func group(r schemas.Resource) schema.GroupResource {
	return schema.GroupResource{Group: r.Group, Resource: r.Plural}
}

func (w *World) refused(verb string, ref schemas.Ref, obj schemas.Object) error {
	if w.Refuse == nil {
		return nil
	}
	return w.Refuse(verb, ref, obj)
}

// Create implements cluster.Writer.
func (w *World) Create(_ context.Context, r schemas.Resource, obj schemas.Object) (schemas.Object, error) {
	ref := schemas.RefOf(r, obj)
	if err := w.refused("create", ref, obj); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.objects[ref] != nil {
		return nil, apierrors.NewAlreadyExists(group(r), obj.GetName())
	}
	if ns := w.objects[schemas.Ref{Resource: schemas.Namespaces, Name: schemas.Name(ref.Namespace)}]; ns != nil && ns.desired.GetDeletionTimestamp() != nil {
		err := apierrors.NewForbidden(group(r), obj.GetName(), errors.New("the namespace is being terminated"))
		err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: corev1.NamespaceTerminatingCause})
		return nil, err
	}
	kind := w.Table.ByResource(r)
	o := join.Desired(kind, obj.DeepCopyObject().(schemas.Object))
	if kind.Default != nil {
		kind.Default(o)
	}
	o.SetUID(w.newUID())
	o.SetCreationTimestamp(metav1.NewTime(w.now))
	o.SetGeneration(1)
	if ns, ok := o.(*corev1.Namespace); ok {
		ns.Spec.Finalizers = []corev1.FinalizerName{corev1.FinalizerKubernetes}
	}
	w.commit(ref, func(p *parts) { p.desired = o })
	return w.objects[ref].joined, nil
}

// Make implements cluster.Writer.
func (w *World) Make(ctx context.Context, r schemas.Resource, objs ...schemas.Object) []error {
	errs := make([]error, len(objs))
	for i, o := range objs {
		_, errs[i] = w.Create(ctx, r, o)
	}
	return errs
}

// Update implements cluster.Writer.
func (w *World) Update(_ context.Context, r schemas.Resource, obj schemas.Object, _ string) (schemas.Object, error) {
	ref := schemas.RefOf(r, obj)
	if err := w.refused("update", ref, obj); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.objects[ref]
	if p == nil {
		return nil, apierrors.NewNotFound(group(r), obj.GetName())
	}
	if rv := obj.GetResourceVersion(); rv != "" && rv != p.joined.GetResourceVersion() || obj.GetUID() != p.desired.GetUID() {
		return nil, apierrors.NewConflict(group(r), obj.GetName(), errors.New("the object has been modified"))
	}
	o := join.Desired(w.Table.ByResource(r), obj.DeepCopyObject().(schemas.Object))
	if po, ok := o.(*corev1.Pod); ok { // where it is placed is not desired
		po.Spec.NodeName = p.desired.(*corev1.Pod).Spec.NodeName
	}
	if sameSpec(o, p.desired) {
		o.SetGeneration(p.desired.GetGeneration())
	} else {
		o.SetGeneration(p.desired.GetGeneration() + 1)
	}
	if going(o) {
		o = nil
	}
	w.commit(ref, func(p *parts) { p.desired = o })
	if o == nil {
		return obj, nil
	}
	return w.objects[ref].joined, nil
}

// going tells whether nothing holds a deleted object any more.
func going(o schemas.Object) bool {
	if o.GetDeletionTimestamp() == nil || len(o.GetFinalizers()) > 0 {
		return false
	}
	switch o := o.(type) {
	case *corev1.Namespace:
		return len(o.Spec.Finalizers) == 0
	case *corev1.Pod:
		return o.DeletionGracePeriodSeconds == nil || *o.DeletionGracePeriodSeconds == 0
	}
	return true
}

// Delete implements cluster.Writer.
func (w *World) Delete(_ context.Context, ref schemas.Ref, opts metav1.DeleteOptions) error {
	if err := w.refused("delete", ref, nil); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.objects[ref]
	if p == nil {
		return apierrors.NewNotFound(group(ref.Resource), string(ref.Name))
	}
	if pre := opts.Preconditions; pre != nil && pre.UID != nil && *pre.UID != p.desired.GetUID() {
		return apierrors.NewConflict(group(ref.Resource), string(ref.Name), errors.New("the uid is another"))
	}
	o := p.desired.DeepCopyObject().(schemas.Object)
	if policy := opts.PropagationPolicy; policy != nil {
		for f, is := range map[string]bool{
			metav1.FinalizerOrphanDependents: *policy == metav1.DeletePropagationOrphan,
			metav1.FinalizerDeleteDependents: *policy == metav1.DeletePropagationForeground,
		} {
			rest := slices.DeleteFunc(slices.Clone(o.GetFinalizers()), func(s string) bool { return s == f })
			if is {
				rest = append(rest, f)
			}
			o.SetFinalizers(rest)
		}
	}
	if o.GetDeletionTimestamp() == nil {
		at := metav1.NewTime(w.now)
		o.SetDeletionTimestamp(&at)
	}
	if joined, ok := p.joined.(*corev1.Pod); ok {
		grace := int64(30)
		if opts.GracePeriodSeconds != nil {
			grace = *opts.GracePeriodSeconds
		}
		if joined.Spec.NodeName == "" || pod.Terminal(joined) {
			grace = 0
		}
		o.SetDeletionGracePeriodSeconds(&grace)
	}
	if going(o) {
		o = nil
	}
	w.commit(ref, func(p *parts) { p.desired = o })
	return nil
}

// DeleteAll implements cluster.Writer.
func (w *World) DeleteAll(ctx context.Context, r schemas.Resource, ns schemas.Namespace) error {
	for _, o := range w.List(r, ns) {
		if err := w.Delete(ctx, schemas.RefOf(r, o), metav1.DeleteOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// Conclude implements cluster.Concluder.
func (w *World) Conclude(_ context.Context, ref schemas.Ref, uid types.UID, f func(schemas.Object) schemas.Object) error {
	old := w.Current(ref)
	if _, there := w.Get(ref); !there {
		return nil // an orphaned conclusion: nothing shows it
	}
	var was schemas.Object
	if old != nil && old.GetUID() == uid {
		was = old.DeepCopyObject().(schemas.Object)
	}
	next := f(was)
	if next != nil {
		next = join.StatusOnly(w.Table.ByResource(ref.Resource), next)
	}
	if sameConclusion(old, next) {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.commit(ref, func(p *parts) { p.current = next })
	return nil
}

// Forget implements cluster.Concluder.
func (w *World) Forget(context.Context, view.Orphan) error { return nil }

// UID implements cluster.Truth.
func (w *World) UID(_ context.Context, ref schemas.Ref) (types.UID, error) {
	o, ok := w.Get(ref)
	if !ok {
		return "", nil
	}
	return o.GetUID(), nil
}

// Refresh implements cluster.Truth.
func (w *World) Refresh(context.Context) error { return nil }
