package registry

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/access"
	"github.com/skerry/skerry/services/apiserver/admit"
	"github.com/skerry/skerry/services/apiserver/codec"
)

// statusAttempts bounds how often a status that names no resourceVersion is computed
// again after a conflict, as often as Kubernetes retries a patch.
const statusAttempts = 5

func (g *Registry) updateStatus(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	obj, warnings, err := codec.Decode(k, r.Body, r.FieldValidation)
	if err != nil {
		return nil, err
	}
	if err := place(r, k, obj); err != nil {
		return nil, err
	}
	return g.putStatus(ctx, r, k, func(schemas.Object) (schemas.Object, []string, error) {
		next, _ := obj.DeepCopyObject().(schemas.Object) // the type is obj's
		return next, warnings, nil
	})
}

func (g *Registry) patchStatus(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	if err := checkPatch(r); err != nil {
		return nil, err
	}
	return g.putStatus(ctx, r, k, func(old schemas.Object) (schemas.Object, []string, error) {
		return g.patched(r, k, old)
	})
}

// putStatus hands the status of what f makes of the object to the controller, the
// writer of current. Everything else in it is ignored.
func (g *Registry) putStatus(ctx context.Context, r *api.Request, k *schemas.Kind, f func(old schemas.Object) (schemas.Object, []string, error)) (*api.Reply, error) {
	for attempt := 1; ; attempt++ {
		old, err := g.read(ctx, &api.Request{Resource: r.Resource, Namespace: r.Namespace, Name: r.Name}, k)
		if err != nil {
			return nil, err
		}
		sent, warnings, err := f(old)
		if err != nil {
			return nil, err
		}
		unconditional := sent.GetResourceVersion() == "" || r.Verb == api.VerbPatch
		if err := admit.Update(k, sent, old); err != nil {
			return nil, err
		}
		next, _ := old.DeepCopyObject().(schemas.Object) // the type is old's
		admit.SetStatus(next, sent)
		if err := g.checkStatus(r, k, next, old); err != nil {
			return nil, err
		}
		if r.DryRun || equality.Semantic.DeepEqual(old, next) {
			return reply(next, warnings, false)
		}
		err = g.sendStatus(ctx, next)
		if apierrors.IsConflict(err) && unconditional && attempt < statusAttempts {
			if err := spread(ctx, attempt); err != nil {
				return nil, storeError(r, err)
			}
			continue
		}
		if err != nil {
			return nil, storeError(r, err)
		}
		// Fresh: the controller has written by now.
		out, err := g.read(ctx, &api.Request{Resource: r.Resource, Namespace: r.Namespace, Name: r.Name}, k)
		if err != nil {
			return nil, err
		}
		return reply(out, warnings, false)
	}
}

// checkStatus refuses what a kind's status may not become, or not by this user.
func (g *Registry) checkStatus(r *api.Request, k *schemas.Kind, next, old schemas.Object) error {
	if err := admit.Status(k, next, old); err != nil || k.ValidateStatus == nil {
		return err
	}
	if err := admit.Invalid(k, old.GetName(), k.ValidateStatus(next, old, g.Now())); err != nil {
		return err
	}
	return g.Guard.Admit(access.Of(r), next, old)
}

func (g *Registry) sendStatus(ctx context.Context, obj schemas.Object) error {
	return g.forward(ctx, bus.StatusSubject, obj)
}

// forward sends v to the service behind subject, which answers with nothing or a Status.
func (g *Registry) forward(ctx context.Context, subject string, v any) error {
	data, err := codec.Encode(v)
	if err != nil {
		return err
	}
	answer, err := g.Send(ctx, subject, data)
	if err != nil || len(answer) == 0 {
		return err
	}
	return status.Decode(answer)
}
