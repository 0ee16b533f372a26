package registry

import (
	"context"

	authenticationv1 "k8s.io/api/authentication/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/access"
	"github.com/skerry/skerry/services/apiserver/admit"
	"github.com/skerry/skerry/services/apiserver/codec"
)

// token issues a token of the service account that r names.
func (g *Registry) token(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	var tr authenticationv1.TokenRequest
	if err := codec.Into(r.Body, &tr); err != nil {
		return nil, err
	}
	if tr.Name != "" && tr.Name != string(r.Name) || tr.Namespace != "" && tr.Namespace != string(r.Namespace) {
		return nil, apierrors.NewBadRequest("the body names another service account than the URL")
	}
	obj, err := g.read(ctx, r, k)
	if err != nil {
		return nil, err
	}
	account, ok := obj.(*v1.ServiceAccount)
	if !ok {
		return nil, NoKind(r.Resource)
	}
	// After the read, which sees the newest state: a pod may have been placed just now.
	if err := g.Guard.Admit(access.Of(r), &tr, nil); err != nil {
		return nil, err
	}
	out, err := g.Issue(account, &tr)
	if err != nil {
		return nil, err
	}
	return reply(out, nil, true)
}

// ensureAccount makes the service account that every namespace has, if p is there before it.
func (g *Registry) ensureAccount(ctx context.Context, p *v1.Pod) error {
	account := admit.MissingAccount(g.State, p)
	k := g.Table.ByResource(schemas.ServiceAccounts)
	if account == nil || k == nil {
		return nil
	}
	account.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind())
	r := &api.Request{User: "system:apiserver", Verb: api.VerbCreate, Resource: schemas.ServiceAccounts, Namespace: schemas.Namespace(p.Namespace)}
	if _, err := g.insert(ctx, r, k, account); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return g.State.Fresh(ctx)
}
