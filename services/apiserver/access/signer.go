package access

import (
	"fmt"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

const (
	// verbAttest is what somebody needs who says which anchors are a signer's, verbSign who
	// answers requests in its name.
	verbAttest = api.Verb("attest")
	verbSign   = api.Verb("sign")
)

// Signers keeps people from speaking for signers that they may not speak for. It implements Guard.
type Signers struct{ May Authorizer }

// Admit implements Guard.
func (s Signers) Admit(a Attributes, obj, old schemas.Object) error {
	switch o := obj.(type) {
	case *certificatesv1.ClusterTrustBundle:
		return s.bundle(a, o, old)
	case *certificatesv1.PodCertificateRequest:
		if a.Subresource == "status" {
			return s.answer(a, o, old)
		}
	}
	return nil
}

func (s Signers) answer(a Attributes, r *certificatesv1.PodCertificateRequest, old schemas.Object) error {
	was, ok := old.(*certificatesv1.PodCertificateRequest)
	if !ok || equality.Semantic.DeepEqual(r.Status, was.Status) || s.may(a, verbSign, was.Spec.SignerName) {
		return nil
	}
	return apierrors.NewInvalid(certificatesv1.SchemeGroupVersion.WithKind("PodCertificateRequest").GroupKind(), r.Name, field.ErrorList{
		field.Forbidden(field.NewPath("spec", "signerName"), fmt.Sprintf("User %q is not permitted to \"sign\" for signer %q", a.User, was.Spec.SignerName))})
}

func (s Signers) bundle(a Attributes, b *certificatesv1.ClusterTrustBundle, old schemas.Object) error {
	if b.Spec.SignerName == "" || sameButOwned(b, old) || s.may(a, verbAttest, b.Spec.SignerName) {
		return nil
	}
	return apierrors.NewForbidden(schema.GroupResource{Group: a.Resource.Group, Resource: a.Resource.Plural}, b.Name,
		fmt.Errorf("user not permitted to attest for signerName %q", b.Spec.SignerName))
}

// may asks for a verb on a signer, or on all signers of its domain.
func (s Signers) may(a Attributes, verb api.Verb, signer string) bool {
	domain, _, _ := strings.Cut(signer, "/")
	for _, name := range []string{signer, domain + "/*"} {
		ok, _ := s.May.Authorize(Attributes{User: a.User, Groups: a.Groups, Verb: verb, Resource: schemas.Signers, Name: schemas.Name(name)})
		if ok {
			return true
		}
	}
	return false
}

// sameButOwned tells whether b differs from old in nothing but what garbage collection goes by.
func sameButOwned(b *certificatesv1.ClusterTrustBundle, old schemas.Object) bool {
	was, ok := old.(*certificatesv1.ClusterTrustBundle)
	if !ok {
		return false
	}
	next := b.DeepCopy()
	next.OwnerReferences, next.Finalizers, next.ManagedFields = was.OwnerReferences, was.Finalizers, was.ManagedFields
	next.Generation = was.Generation
	return equality.Semantic.DeepEqual(next, was)
}
