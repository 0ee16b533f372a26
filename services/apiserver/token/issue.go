package token

import (
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// Issuer is the cluster's name in its tokens, and the audience of those that name none.
const Issuer = "https://kubernetes.default.svc.cluster.local"

// The life of a token, in seconds.
const (
	shortest     = 10 * 60
	longestLife  = 1 << 32
	usual        = 60 * 60
	maxAudiences = 64
)

// State is what tokens are bound to.
type State interface {
	Get(ref schemas.Ref) (schemas.Object, bool)
}

// Authority issues and verifies tokens. Safe for concurrent use.
type Authority struct {
	state State
	keys  *keyring
	now   func() time.Time
}

// New returns the authority of the cluster whose state s is.
func New(s State, now func() time.Time) *Authority {
	return &Authority{state: s, keys: &keyring{state: s}, now: now}
}

// Issue answers a TokenRequest for account. It returns a copy with a status.
func (a *Authority) Issue(account *v1.ServiceAccount, in *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error) {
	tr := in.DeepCopy()
	if tr.Spec.ExpirationSeconds == nil {
		seconds := int64(usual)
		tr.Spec.ExpirationSeconds = &seconds
	}
	if len(tr.Spec.Audiences) == 0 {
		tr.Spec.Audiences = []string{Issuer}
	}
	if errs := validate(&tr.Spec); len(errs) > 0 {
		return nil, apierrors.NewInvalid(authenticationv1.SchemeGroupVersion.WithKind("TokenRequest").GroupKind(), "", errs)
	}
	b := bound{Namespace: account.Namespace, Account: ref{account.Name, string(account.UID)}}
	if tr.Spec.BoundObjectRef != nil {
		if err := a.bind(&b, account, tr.Spec.BoundObjectRef); err != nil {
			return nil, err
		}
	}
	ks, err := a.keys.get()
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	now := a.now()
	expires := now.Add(time.Duration(*tr.Spec.ExpirationSeconds) * time.Second)
	signed, err := sign(claims{
		Audience: tr.Spec.Audiences, Issuer: Issuer, Subject: subject(account.Namespace, account.Name), ID: string(uuid.NewUUID()),
		IssuedAt: now.Unix(), NotBefore: now.Unix(), Expires: expires.Unix(), Kube: b,
	}, ks)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	tr.Namespace, tr.Name = account.Namespace, account.Name
	tr.CreationTimestamp = metav1.Time{Time: now}.Rfc3339Copy()
	tr.Status = authenticationv1.TokenRequestStatus{Token: signed, ExpirationTimestamp: metav1.Time{Time: expires}.Rfc3339Copy()}
	return tr, nil
}

func subject(ns, name string) string { return "system:serviceaccount:" + ns + ":" + name }

func validate(s *authenticationv1.TokenRequestSpec) field.ErrorList {
	var errs field.ErrorList
	p := field.NewPath("spec")
	switch n := *s.ExpirationSeconds; {
	case n < shortest:
		errs = append(errs, field.Invalid(p.Child("expirationSeconds"), n, "may not specify a duration less than 10 minutes"))
	case n > longestLife:
		errs = append(errs, field.Invalid(p.Child("expirationSeconds"), n, "may not specify a duration larger than 2^32 seconds"))
	}
	if len(s.Audiences) > maxAudiences {
		errs = append(errs, field.TooMany(p.Child("audiences"), len(s.Audiences), maxAudiences))
	}
	return errs
}

// bind has b last no longer than the object that to names.
func (a *Authority) bind(b *bound, account *v1.ServiceAccount, to *authenticationv1.BoundObjectReference) error {
	resource, ns := schemas.Resource{}, account.Namespace
	switch {
	case to.APIVersion != "v1":
	case to.Kind == "Pod":
		resource = schemas.Pods
	case to.Kind == "Secret":
		resource = schemas.Secrets
	case to.Kind == "Node":
		resource, ns = schemas.Nodes, ""
	}
	if resource == (schemas.Resource{}) {
		return apierrors.NewBadRequest(fmt.Sprintf("cannot bind token to object of type %s, Kind=%s", to.APIVersion, to.Kind))
	}
	obj, ok := a.state.Get(schemas.Ref{Resource: resource, Namespace: schemas.Namespace(ns), Name: schemas.Name(to.Name)})
	if !ok {
		return apierrors.NewNotFound(v1.Resource(resource.Plural), to.Name)
	}
	if to.UID != "" && to.UID != obj.GetUID() {
		return apierrors.NewConflict(v1.Resource(resource.Plural), to.Name,
			fmt.Errorf("the UID in the bound object reference (%s) does not match the UID in record. The object might have been deleted and then recreated", to.UID))
	}
	r := &ref{to.Name, string(obj.GetUID())}
	switch o := obj.(type) {
	case *v1.Pod:
		if o.Spec.ServiceAccountName != account.Name {
			return apierrors.NewBadRequest(fmt.Sprintf("cannot bind token for serviceaccount %q to pod running with different serviceaccount name.", account.Name))
		}
		b.Pod, b.Node = r, a.nodeOf(o)
	case *v1.Secret:
		b.Secret = r
	default:
		b.Node = r
	}
	return nil
}

// nodeOf is the node that p is on, for whoever wants to know; nil if it is nowhere.
func (a *Authority) nodeOf(p *v1.Pod) *ref {
	if p.Spec.NodeName == "" {
		return nil
	}
	var uid types.UID
	if obj, ok := a.state.Get(schemas.Ref{Resource: schemas.Nodes, Name: schemas.Name(p.Spec.NodeName)}); ok {
		uid = obj.GetUID()
	}
	return &ref{p.Spec.NodeName, string(uid)}
}
