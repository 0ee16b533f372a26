package registry

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/codec"
	"github.com/skerry/skerry/services/apiserver/patch"
)

func (g *Registry) patch(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	if err := checkPatch(r); err != nil {
		return nil, err
	}
	var warnings []string
	var was schemas.Object
	for {
		out, _, err := g.change(ctx, r, k, func(old schemas.Object) (schemas.Object, error) {
			next, w, err := g.patched(r, k, old)
			if err != nil {
				return nil, err
			}
			was, warnings = old, append(w, g.advise(r, k, next, old)...)
			if r.PatchType == types.ApplyPatchType {
				return g.replaceApplied(r, k, old, next)
			}
			return g.replace(r, k, old, next)
		})
		if err == nil {
			return reply(out, append(warnings, cautions(r, out, was)...), false)
		}
		if r.PatchType != types.ApplyPatchType || !notFound(err, r) {
			return nil, err
		}
		out, err = g.applyNew(ctx, r, k)
		if errors.Is(err, store.ErrConflict) || apierrors.IsAlreadyExists(err) {
			continue // somebody made it in between: apply to that
		}
		if err != nil {
			return nil, err
		}
		return reply(out, append(cautions(r, out, nil), g.advise(r, k, out, nil)...), true)
	}
}

// notFound tells whether err is that the object itself is not there.
func notFound(err error, r *api.Request) bool {
	var st apierrors.APIStatus
	if !errors.As(err, &st) || st.Status().Details == nil {
		return false
	}
	d := st.Status().Details
	return apierrors.IsNotFound(err) && d.Kind == r.Resource.Plural && d.Name == string(r.Name)
}

func checkPatch(r *api.Request) error {
	options := schema.GroupKind{Group: "meta.k8s.io", Kind: "PatchOptions"}
	if r.PatchType == types.ApplyPatchType {
		if r.FieldManager == "" {
			return apierrors.NewInvalid(options, "", field.ErrorList{field.Required(field.NewPath("fieldManager"), "is required for apply patch")})
		}
		return nil
	}
	if r.Force {
		return apierrors.NewInvalid(options, "", field.ErrorList{field.Forbidden(field.NewPath("force"), "may not be specified for non-apply patch")})
	}
	return nil
}

// patched returns old with the patch of r applied, as a client would have sent it.
func (g *Registry) patched(r *api.Request, k *schemas.Kind, old schemas.Object) (schemas.Object, []string, error) {
	if r.PatchType == types.ApplyPatchType {
		live, _ := old.DeepCopyObject().(schemas.Object) // the type is old's
		next, err := g.Fields.Apply(k, r.Subresource, live, r.Body, r.FieldManager, r.Force)
		return next, nil, err
	}
	doc, err := codec.Encode(old)
	if err != nil {
		return nil, nil, err
	}
	out, err := patch.Apply(r.PatchType, doc, r.Body, k.New())
	if err != nil {
		return nil, nil, err
	}
	next, warnings, err := codec.Decode(k, out, r.FieldValidation)
	if err != nil {
		return nil, nil, patch.Unfit(r.PatchType, out, r.Body, k.New(), err)
	}
	return next, warnings, nil
}

// replaceApplied is replace for an object whose managedFields server-side apply has
// worked out already.
func (g *Registry) replaceApplied(r *api.Request, k *schemas.Kind, old, next schemas.Object) (schemas.Object, error) {
	applied := next.GetManagedFields()
	next.SetManagedFields(nil)
	out, err := g.replace(r, k, untracked(old), next)
	if err != nil {
		return nil, err
	}
	if out == nil {
		return nil, nil
	}
	next.SetManagedFields(applied)
	return g.settle(r, old, next), nil
}

// untracked is old without managedFields: nothing is tracked beside the apply.
func untracked(old schemas.Object) schemas.Object {
	c, _ := old.DeepCopyObject().(schemas.Object) // the type is old's
	c.SetManagedFields(nil)
	return c
}

// applyNew creates the object that r applies.
func (g *Registry) applyNew(ctx context.Context, r *api.Request, k *schemas.Kind) (schemas.Object, error) {
	obj, err := g.Fields.Apply(k, r.Subresource, k.New(), r.Body, r.FieldManager, r.Force)
	if err != nil {
		return nil, err
	}
	if obj.GetName() == "" {
		obj.SetName(string(r.Name))
	}
	if obj.GetUID() != "" {
		return nil, apierrors.NewConflict(schema.GroupResource{Group: r.Resource.Group, Resource: r.Resource.Plural}, string(r.Name),
			errors.New("uid mismatch: the provided object specified uid "+string(obj.GetUID())+", and no existing object was found"))
	}
	if err := place(r, k, obj); err != nil {
		return nil, err
	}
	return g.insert(ctx, r, k, obj)
}
