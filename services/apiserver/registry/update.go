package registry

import (
	"context"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/access"
	"github.com/skerry/skerry/services/apiserver/admit"
	"github.com/skerry/skerry/services/apiserver/codec"
	"github.com/skerry/skerry/services/apiserver/removal"
)

func (g *Registry) update(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	obj, warnings, err := codec.Decode(k, r.Body, r.FieldValidation)
	if err != nil {
		return nil, err
	}
	if err := place(r, k, obj); err != nil {
		return nil, err
	}
	var advice []string
	var was schemas.Object
	out, _, err := g.change(ctx, r, k, func(old schemas.Object) (schemas.Object, error) {
		next, _ := obj.DeepCopyObject().(schemas.Object) // the type is obj's
		was, advice = old, g.advise(r, k, obj, old)
		return g.replace(r, k, old, next)
	})
	if err != nil {
		return nil, err
	}
	warnings = append(warnings, cautions(r, out, was)...)
	return reply(out, append(warnings, advice...), false)
}

// replace turns what a client sent as the object's new state into what is stored: next
// with the server's own fields of old, defaulted, validated and tracked; old itself
// if nothing changes; nil if this was what a deletion waited for. It may change next.
func (g *Registry) replace(r *api.Request, k *schemas.Kind, old, next schemas.Object) (schemas.Object, error) {
	if err := admit.Update(k, next, old); err != nil {
		return nil, err
	}
	if k.StatusWriter != schemas.StatusNone {
		admit.SetStatus(next, old)
	}
	if err := admit.Changed(g.State, g.Ranges, k, next, old); err != nil {
		return nil, err
	}
	if err := admit.Secure(g.State, k, next, old); err != nil {
		return nil, err
	}
	if err := g.Guard.Admit(access.Of(r), next, old); err != nil {
		return nil, err
	}
	next = g.track(r, k, old, next)
	return g.settle(r, old, next), nil
}

// settle decides between old, next and a removal.
func (g *Registry) settle(r *api.Request, old, next schemas.Object) schemas.Object {
	if unchanged(old, next) {
		return old
	}
	if removal.Finished(next) && !r.DryRun {
		return nil
	}
	return next
}

// unchanged tells whether next says what old says. Times of managedFields alone are no
// change: else every repeated apply would be one.
func unchanged(old, next schemas.Object) bool {
	if !equality.Semantic.DeepEqual(untimed(old.GetManagedFields()), untimed(next.GetManagedFields())) {
		return false
	}
	kept := next.GetManagedFields()
	next.SetManagedFields(old.GetManagedFields())
	same := equality.Semantic.DeepEqual(old, next)
	next.SetManagedFields(kept)
	return same
}

func untimed(fields []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	out := make([]metav1.ManagedFieldsEntry, len(fields))
	for i, f := range fields {
		f.Time = nil
		out[i] = f
	}
	return out
}

// finalize replaces a namespace's spec.finalizers, for the namespace controller.
func (g *Registry) finalize(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	obj, _, err := codec.Decode(k, r.Body, r.FieldValidation)
	if err != nil {
		return nil, err
	}
	if err := place(r, k, obj); err != nil {
		return nil, err
	}
	sent, ok := obj.(*v1.Namespace)
	if !ok {
		return nil, NoKind(r.Resource)
	}
	out, _, err := g.change(ctx, r, k, func(old schemas.Object) (schemas.Object, error) {
		if err := admit.Update(k, sent.DeepCopy(), old); err != nil {
			return nil, err
		}
		next, ok := old.DeepCopyObject().(*v1.Namespace)
		if !ok {
			return nil, NoKind(r.Resource)
		}
		next.Spec.Finalizers = sent.Spec.Finalizers
		return g.settle(r, old, next), nil
	})
	if err != nil {
		return nil, err
	}
	return reply(out, nil, false)
}
