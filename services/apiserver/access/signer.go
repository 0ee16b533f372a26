package access

import (
	"fmt"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// verbAttest is what somebody needs who says which anchors are a signer's.
const verbAttest = api.Verb("attest")

// Signers keeps people from speaking for signers that they may not speak for. It implements Guard.
type Signers struct{ May Authorizer }

// Admit implements Guard.
func (s Signers) Admit(a Attributes, obj, old schemas.Object) error {
	b, ok := obj.(*certificatesv1.ClusterTrustBundle)
	if !ok || b.Spec.SignerName == "" || sameButOwned(b, old) || s.may(a, verbAttest, b.Spec.SignerName) {
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
