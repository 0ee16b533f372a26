package registry

import (
	"context"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/validate"
	"github.com/skerry/skerry/services/apiserver/codec"
	"github.com/skerry/skerry/services/apiserver/patch"
)

// podPart is a subresource through which one part of a pod is written, by rules of its
// own. Everything else in what is sent is ignored.
type podPart struct {
	// take gives next that part of what was sent.
	take  func(next, sent *v1.Pod)
	rules func(obj, old schemas.Object) field.ErrorList
}

var (
	ephemeralContainers = podPart{rules: validate.EphemeralContainersUpdate, take: func(next, sent *v1.Pod) {
		next.Spec.EphemeralContainers = sent.DeepCopy().Spec.EphemeralContainers
	}}
	// resize is about resources; the names of containers must be the same.
	resize = podPart{rules: validate.ResizeUpdate, take: func(next, sent *v1.Pod) {
		next.Spec.Resources = sent.Spec.Resources.DeepCopy()
		next.Spec.Containers = resized(next.Spec.Containers, sent.Spec.Containers)
		next.Spec.InitContainers = resized(next.Spec.InitContainers, sent.Spec.InitContainers)
	}}
)

// handlers are the verbs of the subresource that writes part.
func (g *Registry) handlers(part podPart) map[api.Verb]handler {
	return map[api.Verb]handler{
		api.VerbGet: g.get,
		api.VerbUpdate: func(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
			obj, warnings, err := codec.Decode(k, r.Body, r.FieldValidation)
			if err != nil {
				return nil, err
			}
			if err := place(r, k, obj); err != nil {
				return nil, err
			}
			return g.putPart(ctx, r, k, part, func(schemas.Object) (schemas.Object, []string, error) { return obj, warnings, nil })
		},
		api.VerbPatch: func(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
			if r.PatchType == types.ApplyPatchType {
				return nil, patch.Unsupported(r.PatchType)
			}
			if err := checkPatch(r); err != nil {
				return nil, err
			}
			return g.putPart(ctx, r, k, part, func(old schemas.Object) (schemas.Object, []string, error) { return g.patched(r, k, old) })
		},
	}
}

// putPart gives a pod the part of what f makes of it.
func (g *Registry) putPart(ctx context.Context, r *api.Request, k *schemas.Kind, part podPart, f func(old schemas.Object) (schemas.Object, []string, error)) (*api.Reply, error) {
	rules := *k
	rules.ValidateUpdate = part.rules
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
		part.take(next, from)
		warnings = append(warnings, g.advise(r, k, next, old)...)
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
