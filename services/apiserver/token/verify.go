package token

import (
	"errors"
	"fmt"
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// leeway is how far clocks may be apart.
const leeway = 10 * time.Second

// goingFor is how long a token lasts after what it is bound to was told to go: for its last words.
const goingFor = time.Minute

// Groups of every service account.
const groupAccounts = "system:serviceaccounts"

// The keys of what a token says beside who its bearer is.
const (
	extraID      = "authentication.kubernetes.io/credential-id"
	extraPod     = "authentication.kubernetes.io/pod-name"
	extraPodUID  = "authentication.kubernetes.io/pod-uid"
	extraNode    = "authentication.kubernetes.io/node-name"
	extraNodeUID = "authentication.kubernetes.io/node-uid"
)

// Verify says whose token it is, and for which of the audiences (none: the cluster's own) it is good.
func (a *Authority) Verify(token string, audiences []string) (*api.Identity, []string, error) {
	ks, err := a.keys.get()
	if err != nil {
		return nil, nil, err
	}
	c, err := open(token, ks)
	if err != nil {
		return nil, nil, err
	}
	now := a.now()
	switch {
	case c.Issuer != Issuer:
		return nil, nil, fmt.Errorf("the token's issuer is %q", c.Issuer)
	case !now.Before(time.Unix(c.Expires, 0)):
		return nil, nil, errors.New("the token has expired")
	case now.Add(leeway).Before(time.Unix(c.NotBefore, 0)):
		return nil, nil, errors.New("the token is not valid yet")
	case c.Subject != subject(c.Kube.Namespace, c.Kube.Account.Name):
		return nil, nil, errors.New("the token's subject is not its service account")
	}
	if len(audiences) == 0 {
		audiences = []string{Issuer}
	}
	good := slices.DeleteFunc(slices.Clone(audiences), func(s string) bool { return !slices.Contains(c.Audience, s) })
	if len(good) == 0 {
		return nil, nil, fmt.Errorf("token audiences %q is invalid for the target audiences %q", c.Audience, audiences)
	}
	if err := a.lasts(c.Kube, now); err != nil {
		return nil, nil, err
	}
	return identity(c), good, nil
}

// lasts checks that what a token is bound to is there.
func (a *Authority) lasts(b bound, now time.Time) error {
	ns := schemas.Namespace(b.Namespace)
	if err := a.there(schemas.Ref{Resource: schemas.ServiceAccounts, Namespace: ns}, b.Account, now); err != nil {
		return err
	}
	switch {
	case b.Pod != nil:
		return a.there(schemas.Ref{Resource: schemas.Pods, Namespace: ns}, *b.Pod, now)
	case b.Secret != nil:
		return a.there(schemas.Ref{Resource: schemas.Secrets, Namespace: ns}, *b.Secret, now)
	case b.Node != nil:
		return a.there(schemas.Ref{Resource: schemas.Nodes}, *b.Node, now)
	}
	return nil
}

func (a *Authority) there(at schemas.Ref, r ref, now time.Time) error {
	at.Name = schemas.Name(r.Name)
	obj, ok := a.state.Get(at)
	if !ok || string(obj.GetUID()) != r.UID {
		return fmt.Errorf("the token is bound to %s, which is not there any more", at)
	}
	if d := obj.GetDeletionTimestamp(); d != nil && now.After(d.Add(goingFor)) {
		return fmt.Errorf("the token is bound to %s, which is being deleted", at)
	}
	return nil
}

func identity(c claims) *api.Identity {
	who := &api.Identity{
		User: bus.User(c.Subject), UID: c.Kube.Account.UID,
		Groups: []string{groupAccounts, groupAccounts + ":" + c.Kube.Namespace},
		Extra:  map[string][]string{extraID: {"JTI=" + c.ID}},
	}
	if p := c.Kube.Pod; p != nil {
		who.Extra[extraPod], who.Extra[extraPodUID] = []string{p.Name}, []string{p.UID}
	}
	if n := c.Kube.Node; n != nil {
		who.Extra[extraNode], who.Extra[extraNodeUID] = []string{n.Name}, []string{n.UID}
	}
	return who
}

// Review answers a TokenReview: a token that does not hold is no error of the question's.
func (a *Authority) Review(r *authenticationv1.TokenReview) {
	r.Status = authenticationv1.TokenReviewStatus{}
	who, audiences, err := a.Verify(r.Spec.Token, r.Spec.Audiences)
	if err != nil {
		r.Status.Error = "[invalid bearer token, " + err.Error() + "]"
		return
	}
	extra := map[string]authenticationv1.ExtraValue{}
	for k, v := range who.Extra {
		extra[k] = v
	}
	r.Status.Authenticated, r.Status.Audiences = true, audiences
	r.Status.User = authenticationv1.UserInfo{
		Username: string(who.User), UID: who.UID, Groups: append(who.Groups, "system:authenticated"), Extra: extra,
	}
}
