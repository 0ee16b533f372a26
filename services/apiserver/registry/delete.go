package registry

import (
	"context"
	"net/http"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/join"
	"github.com/skerry/skerry/services/apiserver/access"
	"github.com/skerry/skerry/services/apiserver/admit"
	"github.com/skerry/skerry/services/apiserver/removal"
	"github.com/skerry/skerry/services/apiserver/selector"
)

// collectionWorkers is how many objects of a collection are deleted at once.
const collectionWorkers = 16

func (g *Registry) remove(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	last, removed, err := g.delete(ctx, r, k)
	if err != nil {
		return nil, err
	}
	if _, pod := last.(*v1.Pod); !removed || pod || r.Brief {
		return answer(r, last, nil, false)
	}
	return reply(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusSuccess,
		Code:     http.StatusOK,
		Details:  &metav1.StatusDetails{Name: last.GetName(), Group: k.Resource.Group, Kind: k.Resource.Plural, UID: last.GetUID()},
	}, nil, false)
}

// delete does what removal.Plan says. It returns the object as it is, or was.
func (g *Registry) delete(ctx context.Context, r *api.Request, k *schemas.Kind) (schemas.Object, bool, error) {
	o := r.Delete
	if o == nil {
		o = &metav1.DeleteOptions{}
	}
	if err := removal.Check(o); err != nil {
		return nil, false, err
	}
	if err := admit.Delete(r.Ref()); err != nil {
		return nil, false, err
	}
	if len(o.DryRun) > 0 {
		dry := *r
		dry.DryRun = true
		r = &dry
	}
	return g.change(ctx, r, k, g.removal(r, k, o))
}

// removal is the edit of a deletion.
func (g *Registry) removal(r *api.Request, k *schemas.Kind, o *metav1.DeleteOptions) edit {
	return func(old schemas.Object) (schemas.Object, error) {
		// Of what is deleted in the end: when the request was allowed, there may have been none of this name.
		if err := g.Guard.Admit(access.Of(r), old, old); err != nil {
			return nil, err
		}
		next := join.As(old, old.GetResourceVersion())
		outcome, err := removal.Plan(k, next, o, g.Now())
		switch {
		case err != nil:
			return nil, err
		case outcome == removal.Nothing:
			return old, nil
		case outcome == removal.Remove:
			return nil, nil
		}
		return next, nil
	}
}

// removeAll deletes what a list with r's options would show. What is gone by itself
// meanwhile is no error.
func (g *Registry) removeAll(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	o := r.List
	if o == nil {
		o = &metav1.ListOptions{}
	}
	s, err := selector.Parse(k, o)
	if err != nil {
		return nil, err
	}
	b := g.backend(k)
	if err := b.Fresh(ctx); err != nil {
		return nil, err
	}
	var chosen []schemas.Object
	for _, obj := range b.List(k.Resource, r.Namespace) {
		if s.Matches(obj) {
			chosen = append(chosen, obj)
		}
	}
	deleted := make([]schemas.Object, len(chosen))
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(collectionWorkers)
	var panics api.Panics
	for i, obj := range chosen {
		work.Go(func() error {
			defer panics.Catch()
			one := *r
			one.Verb, one.List = api.VerbDelete, nil
			one.Namespace, one.Name = schemas.Namespace(obj.GetNamespace()), schemas.Name(obj.GetName())
			var err error
			deleted[i], _, err = g.delete(ctx, &one, k)
			if apierrors.IsNotFound(err) {
				deleted[i], err = obj, nil
			}
			return err
		})
	}
	err = work.Wait()
	if panics.Raise(); err != nil {
		return nil, err
	}
	body, err := encodeList(k, []byte("{}"), deleted, &texts{})
	return &api.Reply{Body: body}, err
}
