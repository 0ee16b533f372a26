// Package anchor publishes which authority signs the certificates of the HTTP API, as a
// trust bundle that pods can have in a file.
//
// Reads: the clustertrustbundles of the signer kubernetes.io/kube-apiserver-serving.
// Writes: one of them, named after its content, through the apiserver; deletes all others.
// Triggered by: changes of one of them, and the start of a term.
// Invariant: the signer has this one bundle, and only for as long as it is replaced two;
// doing it again changes nothing.
package anchor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

// signer is whose certificates the HTTP API shows, by Kubernetes' name.
const signer = "kubernetes.io/kube-apiserver-serving"

// Controller reconciles the bundle.
type Controller struct {
	c    *cluster.Cluster
	want *certificatesv1.ClusterTrustBundle
}

// New returns the controller of an authority, as PEM.
func New(c *cluster.Cluster, authority string) *Controller {
	sum := sha256.Sum256([]byte(authority))
	return &Controller{c: c, want: &certificatesv1.ClusterTrustBundle{
		TypeMeta:   metav1.TypeMeta{APIVersion: "certificates.k8s.io/v1", Kind: "ClusterTrustBundle"},
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s:%x", strings.ReplaceAll(signer, "/", ":"), sum[:12])},
		Spec:       certificatesv1.ClusterTrustBundleSpec{SignerName: signer, TrustBundle: authority},
	}}
}

// Key is what the controller is first woken with; it is the only key.
func (k *Controller) Key() schemas.Ref { return schemas.RefOf(schemas.ClusterTrustBundles, k.want) }

// Keys returns the key if a change concerns the signer.
func (k *Controller) Keys(ch view.Change) []schemas.Ref {
	if b, ok := ch.Object.(*certificatesv1.ClusterTrustBundle); ok && b.Spec.SignerName == signer {
		return []schemas.Ref{k.Key()}
	}
	return nil
}

// Reconcile has the signer have the bundle and no other.
func (k *Controller) Reconcile(ctx context.Context, _ schemas.Ref) (time.Duration, error) {
	// Load.
	var there []*certificatesv1.ClusterTrustBundle
	for _, o := range k.c.View.All(schemas.ClusterTrustBundles) {
		if b, ok := o.(*certificatesv1.ClusterTrustBundle); ok && b.Spec.SignerName == signer {
			there = append(there, b)
		}
	}
	// Plan.
	p := plan(there, k.want)
	// Apply: what is new first, that nobody finds none.
	var err error
	switch {
	case p.create != nil:
		_, err = k.c.API.Create(ctx, schemas.ClusterTrustBundles, p.create)
	case p.update != nil:
		_, err = k.c.API.Update(ctx, schemas.ClusterTrustBundles, p.update, "")
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return 0, fmt.Errorf("publish authority of the API: %w", err)
	}
	var errs []error
	for _, ref := range p.remove {
		if err := k.c.API.Delete(ctx, ref, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("remove former authority of the API: %w", err))
		}
	}
	return 0, errors.Join(errs...)
}

// steps are what is to be done; each may be nothing.
type steps struct {
	create, update *certificatesv1.ClusterTrustBundle
	remove         []schemas.Ref
}

func plan(there []*certificatesv1.ClusterTrustBundle, want *certificatesv1.ClusterTrustBundle) steps {
	p := steps{create: want}
	for _, b := range there {
		switch {
		case b.Name != want.Name:
			if b.DeletionTimestamp == nil {
				p.remove = append(p.remove, schemas.RefOf(schemas.ClusterTrustBundles, b))
			}
			continue
		case b.Spec.TrustBundle != want.Spec.TrustBundle:
			p.update = b.DeepCopy()
			p.update.Spec.TrustBundle = want.Spec.TrustBundle
		}
		p.create = nil
	}
	return p
}
