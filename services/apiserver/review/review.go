// Package review answers questions about access: may I, may they, who am I.
//
// It reads what it is asked and the rules; it writes nothing, and nothing of a question
// is kept. What always holds: an answer is what the apiserver itself would decide.
package review

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/access"
)

// Reviewer answers.
type Reviewer struct {
	Access access.Authorizer
	// Fresh waits until the rules are those of now: a refusal stands only if it holds then.
	Fresh func(context.Context) error
	// RulesFor lists the rules that hold for a user in a namespace.
	RulesFor func(access.Attributes) []rbacv1.PolicyRule
	// Token says whose a bearer token is.
	Token func(*authenticationv1.TokenReview)
}

// Answer fills in the status of obj, a question that r asks.
func (v Reviewer) Answer(ctx context.Context, r *api.Request, obj schemas.Object) (schemas.Object, error) {
	asker := access.Attributes{User: r.User, Groups: r.Groups}
	switch o := obj.(type) {
	case *authorizationv1.SelfSubjectAccessReview:
		return o, v.decide(ctx, &o.Status, asker, o.Spec.ResourceAttributes, o.Spec.NonResourceAttributes)
	case *authorizationv1.SubjectAccessReview:
		subject, err := about(o.Spec)
		if err != nil {
			return nil, err
		}
		return o, v.decide(ctx, &o.Status, subject, o.Spec.ResourceAttributes, o.Spec.NonResourceAttributes)
	case *authorizationv1.LocalSubjectAccessReview:
		subject, err := about(o.Spec)
		if err != nil {
			return nil, err
		}
		if o.Spec.ResourceAttributes == nil || o.Spec.ResourceAttributes.Namespace != string(r.Namespace) {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("spec.resourceAttributes.namespace must be %q, the review's own", r.Namespace))
		}
		return o, v.decide(ctx, &o.Status, subject, o.Spec.ResourceAttributes, o.Spec.NonResourceAttributes)
	case *authorizationv1.SelfSubjectRulesReview:
		if o.Spec.Namespace == "" {
			return nil, apierrors.NewBadRequest("no namespace on request")
		}
		v.list(o, asker)
		return o, nil
	case *authenticationv1.TokenReview:
		if o.Spec.Token == "" {
			return nil, apierrors.NewBadRequest("token is required for TokenReview in authentication")
		}
		return o, v.identify(ctx, o)
	case *authenticationv1.SelfSubjectReview:
		o.Status.UserInfo = authenticationv1.UserInfo{Username: string(r.User), Groups: r.Groups}
		return o, nil
	}
	return nil, fmt.Errorf("answer a review: it is a %T", obj)
}

// about is whom a question is about.
func about(s authorizationv1.SubjectAccessReviewSpec) (access.Attributes, error) {
	if s.User == "" && len(s.Groups) == 0 {
		return access.Attributes{}, apierrors.NewBadRequest("spec.user: at least one of user or group must be specified")
	}
	return access.Attributes{User: bus.User(s.User), Groups: s.Groups}, nil
}

func (v Reviewer) decide(ctx context.Context, st *authorizationv1.SubjectAccessReviewStatus, a access.Attributes, res *authorizationv1.ResourceAttributes, path *authorizationv1.NonResourceAttributes) error {
	switch {
	case (res == nil) == (path == nil):
		return apierrors.NewBadRequest("spec: exactly one of nonResourceAttributes or resourceAttributes must be specified")
	case res != nil:
		a.Verb, a.Subresource = api.Verb(res.Verb), res.Subresource
		a.Resource = schemas.Resource{Group: res.Group, Plural: res.Resource}
		a.Namespace, a.Name = schemas.Namespace(res.Namespace), schemas.Name(res.Name)
	default:
		a.Verb, a.Path = api.Verb(path.Verb), path.Path
	}
	*st = authorizationv1.SubjectAccessReviewStatus{}
	if st.Allowed, st.Reason = v.Access.Authorize(a); st.Allowed {
		return nil
	}
	if err := v.Fresh(ctx); err != nil {
		return err
	}
	st.Allowed, st.Reason = v.Access.Authorize(a)
	return nil
}

// identify says whose the token is. What it is bound to, or the key that signed it, may be
// so new that only another replica has seen it.
func (v Reviewer) identify(ctx context.Context, o *authenticationv1.TokenReview) error {
	if v.Token(o); o.Status.Authenticated {
		return nil
	}
	if err := v.Fresh(ctx); err != nil {
		return err
	}
	v.Token(o)
	return nil
}

func (v Reviewer) list(o *authorizationv1.SelfSubjectRulesReview, a access.Attributes) {
	a.Namespace = schemas.Namespace(o.Spec.Namespace)
	o.Status = authorizationv1.SubjectRulesReviewStatus{ResourceRules: []authorizationv1.ResourceRule{}, NonResourceRules: []authorizationv1.NonResourceRule{}}
	rules := v.RulesFor(a)
	// Who may do everything may do so by no role.
	if ok, _ := v.Access.Authorize(access.Attributes{User: a.User, Groups: a.Groups, Verb: "*", Resource: schemas.Resource{Group: "*", Plural: "*"}, Namespace: a.Namespace}); ok {
		all := []string{"*"}
		rules = append(rules, rbacv1.PolicyRule{Verbs: all, APIGroups: all, Resources: all}, rbacv1.PolicyRule{Verbs: all, NonResourceURLs: all})
	}
	for _, r := range rules {
		if len(r.NonResourceURLs) > 0 {
			o.Status.NonResourceRules = append(o.Status.NonResourceRules, authorizationv1.NonResourceRule{Verbs: r.Verbs, NonResourceURLs: r.NonResourceURLs})
			continue
		}
		o.Status.ResourceRules = append(o.Status.ResourceRules, authorizationv1.ResourceRule{Verbs: r.Verbs, APIGroups: r.APIGroups, Resources: r.Resources, ResourceNames: r.ResourceNames})
	}
}
