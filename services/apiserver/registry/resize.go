package registry

import (
	"context"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/validate"
	"github.com/skerry/skerry/services/apiserver/codec"
	"github.com/skerry/skerry/services/apiserver/patch"
)

func (g *Registry) updateResize(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	obj, warnings, err := codec.Decode(k, r.Body, r.FieldValidation)
	if err != nil {
		return nil, err
	}
	if err := place(r, k, obj); err != nil {
		return nil, err
	}
	return g.putResize(ctx, r, k, func(schemas.Object) (schemas.Object, []string, error) { return obj, warnings, nil })
}

func (g *Registry) patchResize(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	if r.PatchType == types.ApplyPatchType {
		return nil, patch.Unsupported(r.PatchType)
	}
	if err := checkPatch(r); err != nil {
		return nil, err
	}
	return g.putResize(ctx, r, k, func(old schemas.Object) (schemas.Object, []string, error) { return g.patched(r, k, old) })
}

// putResize gives a pod the resources of what f makes of it. Everything else in that is
// ignored, but for the names of containers, which must be the same.
func (g *Registry) putResize(ctx context.Context, r *api.Request, k *schemas.Kind, f func(old schemas.Object) (schemas.Object, []string, error)) (*api.Reply, error) {
	rules := *k
	rules.ValidateUpdate = validate.ResizeUpdate
	var warnings []string
	out, _, err := g.change(ctx, r, k, func(old schemas.Object) (schemas.Object, error) {
		var sent schemas.Object
		var err error
		if sent, warnings, err = f(old); err != nil {
			return nil, err
		}
		from, ok := sent.(*v1.Pod)
		next, also := old.DeepCopyObject().(*v1.Pod)
		if !ok || !also {
			return nil, NoKind(r.Resource)
		}
		next.UID, next.ResourceVersion = from.UID, from.ResourceVersion
		next.Spec.Resources = from.Spec.Resources.DeepCopy()
		next.Spec.Containers = resized(next.Spec.Containers, from.Spec.Containers)
		next.Spec.InitContainers = resized(next.Spec.InitContainers, from.Spec.InitContainers)
		return g.replace(r, &rules, old, next)
	})
	if err != nil {
		return nil, err
	}
	return reply(out, warnings, false)
}

// resized is old with the resources of sent; sent itself if it is of other containers,
// which does not pass the rules.
func resized(old, sent []v1.Container) []v1.Container {
	if len(old) != len(sent) {
		return sent
	}
	for i := range sent {
		if sent[i].Name != old[i].Name {
			return sent
		}
		old[i].Resources = *sent[i].Resources.DeepCopy()
		old[i].ResizePolicy = sent[i].ResizePolicy
	}
	return old
}
