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

func (g *Registry) updateEphemeral(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	obj, warnings, err := codec.Decode(k, r.Body, r.FieldValidation)
	if err != nil {
		return nil, err
	}
	if err := place(r, k, obj); err != nil {
		return nil, err
	}
	return g.putEphemeral(ctx, r, k, func(schemas.Object) (schemas.Object, []string, error) { return obj, warnings, nil })
}

func (g *Registry) patchEphemeral(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	if r.PatchType == types.ApplyPatchType {
		return nil, patch.Unsupported(r.PatchType)
	}
	if err := checkPatch(r); err != nil {
		return nil, err
	}
	return g.putEphemeral(ctx, r, k, func(old schemas.Object) (schemas.Object, []string, error) { return g.patched(r, k, old) })
}

// putEphemeral gives a pod the ephemeral containers of what f makes of it. Everything
// else in that is ignored.
func (g *Registry) putEphemeral(ctx context.Context, r *api.Request, k *schemas.Kind, f func(old schemas.Object) (schemas.Object, []string, error)) (*api.Reply, error) {
	rules := *k
	rules.ValidateUpdate = validate.EphemeralContainersUpdate
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
		next.Spec.EphemeralContainers = from.DeepCopy().Spec.EphemeralContainers
		warnings = append(warnings, g.advise(r, k, next, old)...)
		return g.replace(r, &rules, old, next)
	})
	if err != nil {
		return nil, err
	}
	return reply(out, warnings, false)
}
