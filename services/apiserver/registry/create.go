package registry

import (
	"context"
	"errors"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/join"
	"github.com/skerry/skerry/services/apiserver/access"
	"github.com/skerry/skerry/services/apiserver/admit"
	"github.com/skerry/skerry/services/apiserver/codec"
)

// nameAttempts is how many generated names are tried.
const nameAttempts = 8

func (g *Registry) create(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	obj, warnings, err := g.decode(r, k)
	if err != nil {
		return nil, err
	}
	if err := place(r, k, obj); err != nil {
		return nil, err
	}
	warnings = append(warnings, unhonoured(r, k, obj, nil)...)
	out, err := g.insert(ctx, r, k, obj)
	if err != nil {
		return nil, err
	}
	// Not before: only what admission has seen is the namespace of now.
	warnings = append(warnings, cautions(r, out, nil)...)
	return answer(r, out, append(warnings, g.counsel(r, out, nil)...), true)
}

// decode decodes r's body. What comes with many others is like them.
func (g *Registry) decode(r *api.Request, k *schemas.Kind) (schemas.Object, []string, error) {
	if !r.Brief || r.FieldValidation != metav1.FieldValidationIgnore {
		return codec.Decode(k, r.Body, r.FieldValidation)
	}
	obj, err := codec.DecodeAlike(k, r.Body, g.Alike)
	return obj, nil, err
}

// answer completes a question with its answer; nothing is stored.
func (g *Registry) answer(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	obj, warnings, err := codec.Decode(k, r.Body, r.FieldValidation)
	if err != nil {
		return nil, err
	}
	if err := place(r, k, obj); err != nil {
		return nil, err
	}
	out, err := g.Answer(ctx, r, obj)
	if err != nil {
		return nil, err
	}
	return reply(out, warnings, true)
}

// place gives obj the namespace of the request, and checks that the body does not say
// something else.
func place(r *api.Request, k *schemas.Kind, obj schemas.Object) error {
	if r.Name != "" && obj.GetName() != "" && obj.GetName() != string(r.Name) {
		return apierrors.NewBadRequest("the name of the object (" + obj.GetName() + ") does not match the name on the URL (" + string(r.Name) + ")")
	}
	if !k.Namespaced {
		obj.SetNamespace("")
		return nil
	}
	if obj.GetNamespace() == "" {
		obj.SetNamespace(string(r.Namespace))
	}
	if obj.GetNamespace() != string(r.Namespace) {
		return apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
	}
	return nil
}

// unhonoured warns about the fields that obj sets, that old did not, and that nothing
// acts on yet. Services are not warned: they copy what a user was warned about.
func unhonoured(r *api.Request, k *schemas.Kind, obj, old schemas.Object) []string {
	if strings.HasPrefix(string(r.User), "system:") {
		return nil
	}
	var had []schemas.Warning
	if old != nil {
		had = schemas.Warnings(k, old)
	}
	var out []string
	for _, w := range schemas.Warnings(k, obj) {
		if !slices.Contains(had, w) {
			out = append(out, w.String())
		}
	}
	return out
}

// insert stores a new object. What the server chose for it somebody else may have been
// given at the same moment: then it chooses again.
func (g *Registry) insert(ctx context.Context, r *api.Request, k *schemas.Kind, obj schemas.Object) (schemas.Object, error) {
	for attempt := 1; ; attempt++ {
		wanted := obj
		if k.Resource == schemas.Services {
			wanted, _ = obj.DeepCopyObject().(schemas.Object) // the type is obj's
		}
		out, err := g.insertNamed(ctx, r, k, wanted)
		if !errors.Is(err, errTaken) {
			return out, err
		}
		if attempt == nameAttempts {
			return nil, apierrors.NewServiceUnavailable("what was chosen for the object was taken each time; try again")
		}
		if err := spread(ctx, attempt); err != nil {
			return nil, storeError(r, err)
		}
	}
}

// insertNamed stores a new object, under a generated name if it has none.
func (g *Registry) insertNamed(ctx context.Context, r *api.Request, k *schemas.Kind, obj schemas.Object) (schemas.Object, error) {
	obj, err := admit.Create(k, obj, g.Now())
	if err != nil {
		return nil, err
	}
	generate := obj.GetName() == "" && obj.GetGenerateName() != ""
	for attempt := 1; ; attempt++ {
		if generate {
			obj.SetName(admit.GenerateName(obj.GetGenerateName()))
		}
		if attempt == 1 {
			if obj, err = g.admitNew(ctx, r, k, obj); err != nil {
				return nil, err
			}
		}
		out, err := g.put(ctx, r, k, obj)
		if !errors.Is(err, store.ErrConflict) || errors.Is(err, errTaken) {
			return out, err
		}
		if !generate {
			return nil, apierrors.NewAlreadyExists(admit.GroupResource(k.Resource), obj.GetName())
		}
		if attempt == nameAttempts {
			return nil, apierrors.NewGenerateNameConflict(admit.GroupResource(k.Resource), obj.GetName(), 1)
		}
	}
}

// admitNew runs admission. What it refuses may be for something that is there by now
// (a namespace that another apiserver just made): then it looks again.
func (g *Registry) admitNew(ctx context.Context, r *api.Request, k *schemas.Kind, obj schemas.Object) (schemas.Object, error) {
	check := func(obj schemas.Object) error {
		if k.Namespaced {
			if err := admit.Namespace(g.State, k, r.Namespace, obj.GetName()); err != nil {
				return err
			}
		}
		if err := admit.New(g.State, g.Ranges, k, obj); err != nil {
			return err
		}
		return g.Guard.Admit(access.Of(r), obj, nil)
	}
	if p, ok := obj.(*v1.Pod); ok && !r.DryRun {
		// A missing namespace is admission's to tell of.
		if err := g.ensureAccount(ctx, p); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
			return nil, err
		}
	}
	if err := g.freshFor(ctx, k); err != nil {
		return nil, err
	}
	try, _ := obj.DeepCopyObject().(schemas.Object) // the type is obj's
	err := check(try)
	if err == nil {
		return g.track(r, k, nil, try), nil
	}
	if !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
		return nil, err
	}
	if err := g.State.Fresh(ctx); err != nil {
		return nil, err
	}
	if err := check(obj); err != nil {
		return nil, err
	}
	return g.track(r, k, nil, obj), nil
}

// put creates obj; store.ErrConflict if there is one of its name.
func (g *Registry) put(ctx context.Context, r *api.Request, k *schemas.Kind, obj schemas.Object) (schemas.Object, error) {
	b := g.backend(k)
	ref := schemas.RefOf(k.Resource, obj)
	if r.DryRun {
		if err := b.Fresh(ctx); err != nil {
			return nil, err
		}
		if _, exists := b.Get(ref); exists {
			return nil, store.ErrConflict
		}
		return join.Join(k, obj, nil, nil, nil), nil
	}
	out, err := b.Put(ctx, Write{Kind: k, Ref: ref, New: obj, By: g.by(r)})
	if err == nil || errors.Is(err, store.ErrConflict) {
		return out, err
	}
	return nil, storeError(r, err)
}

// track records in obj's managedFields what r set. Objects that controllers or the
// apiserver itself make are not tracked before somebody applies to them: nobody looks
// at who owns the fields of a ReplicaSet's pods, and it would be most of their bytes.
func (g *Registry) track(r *api.Request, k *schemas.Kind, live, obj schemas.Object) schemas.Object {
	if k.Store == schemas.StoreEvents || k.Resource == schemas.Leases {
		return obj
	}
	if live == nil {
		applied := r.PatchType == types.ApplyPatchType // worked out already
		if applied || metav1.GetControllerOfNoCopy(obj) != nil || r.User == "system:apiserver" {
			return obj
		}
		return g.Fields.Create(k, obj, manager(r))
	}
	if len(live.GetManagedFields()) == 0 {
		obj.SetManagedFields(nil)
		return obj
	}
	return g.Fields.Update(k, r.Subresource, live, obj, manager(r))
}

// manager is who fields are tracked for.
func manager(r *api.Request) string {
	if r.FieldManager != "" {
		return r.FieldManager
	}
	return string(r.User)
}

// answer is reply, or a Brief if r wants no more.
func answer(r *api.Request, obj schemas.Object, warnings []string, created bool) (*api.Reply, error) {
	if !r.Brief {
		return reply(obj, warnings, created)
	}
	b := api.Brief{Name: schemas.Name(obj.GetName()), UID: obj.GetUID(), ResourceVersion: obj.GetResourceVersion()}
	return &api.Reply{Brief: &b, Created: created}, nil
}

func reply(obj any, warnings []string, created bool) (*api.Reply, error) {
	body, err := codec.Encode(obj)
	if err != nil {
		return nil, err
	}
	return &api.Reply{Body: body, Warnings: warnings, Created: created}, nil
}
