// Package signer certifies pods that ask the signer kubernetes.io/kube-apiserver-client-pod: with
// such a certificate a pod is its service account to the HTTP API. It works in the gateways, for
// they have the authority's key.
//
// Reads: podcertificaterequests of the signer, namespaces.
// Writes: their status, through the apiserver.
// Triggered by: changes of one of them, and a list whenever the watch ends.
// Invariant: a request that has ended stays as it is; of several gateways that answer one,
// the first is heard.
package signer

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"golang.org/x/sync/errgroup"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/gateway/certificate"
	"github.com/skerry/skerry/services/reconcile"
)

// Name is the signer's.
const Name = "kubernetes.io/kube-apiserver-client-pod"

// workers is how many requests are answered at once.
const workers = 4

// Authority certifies pods.
type Authority interface {
	Pod(p certificate.Pod, key crypto.PublicKey, from, to time.Time) ([]byte, error)
}

// Signer answers requests.
type Signer struct {
	client    *api.Client
	authority Authority
	now       func() time.Time
	log       *slog.Logger
	loop      *reconcile.Loop[schemas.Ref]
}

// New returns the signer whose key authority has.
func New(client *api.Client, authority Authority, log *slog.Logger) *Signer {
	s := &Signer{client: client, authority: authority, now: time.Now, log: log}
	s.loop = reconcile.New("signer", workers, log, s.Reconcile)
	return s
}

// Run answers requests until ctx ends.
func (s *Signer) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.loop.Run(ctx) })
	g.Go(func() error { return s.follow(ctx) })
	return g.Wait()
}

const (
	firstWait = 100 * time.Millisecond
	lastWait  = 30 * time.Second
)

// follow has every request that waits looked at, from now on and for as long as ctx lasts.
func (s *Signer) follow(ctx context.Context) error {
	for wait := firstWait; ; {
		began := s.now()
		err := s.watch(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.log.Debug("watch of certificate requests ended", "error", err)
		}
		if wait = min(2*wait, lastWait); s.now().Sub(began) > lastWait {
			wait = firstWait // it had worked
		}
		if err := pause.For(ctx, wait); err != nil {
			return err
		}
	}
}

func (s *Signer) watch(ctx context.Context) error {
	o := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("spec.signerName", Name).String()}
	there, version, err := s.client.List(ctx, schemas.PodCertificateRequests, "", o)
	if err != nil {
		return fmt.Errorf("list certificate requests: %w", err)
	}
	for _, obj := range there {
		s.take(obj)
	}
	o.ResourceVersion = version
	return s.client.Watch(ctx, schemas.PodCertificateRequests, "", o, func(_ string, obj schemas.Object) error {
		s.take(obj)
		return nil
	})
}

func (s *Signer) take(obj schemas.Object) {
	if r, ok := obj.(*certificatesv1.PodCertificateRequest); ok && len(r.Status.Conditions) == 0 {
		s.loop.Add(schemas.RefOf(schemas.PodCertificateRequests, r))
	}
}

// Reconcile answers the request that key names, if nobody has.
func (s *Signer) Reconcile(ctx context.Context, key schemas.Ref) (time.Duration, error) {
	// Load.
	obj, err := s.client.Get(ctx, key)
	if apierrors.IsNotFound(err) {
		return 0, nil
	}
	r, ok := obj.(*certificatesv1.PodCertificateRequest)
	if err != nil || !ok {
		return 0, errors.Join(err, fmt.Errorf("read %s", key))
	}
	if r.Spec.SignerName != Name || len(r.Status.Conditions) > 0 || r.DeletionTimestamp != nil {
		return 0, nil
	}
	// Plan.
	now := s.now()
	next := r.DeepCopy()
	a := plan(r, now)
	if a.condition.Type == certificatesv1.PodCertificateRequestConditionTypeIssued {
		chain, err := s.certify(ctx, r, a)
		if err != nil {
			return 0, err
		}
		next.Status = certificatesv1.PodCertificateRequestStatus{
			CertificateChain: string(chain), NotBefore: &metav1.Time{Time: a.from}, BeginRefreshAt: &metav1.Time{Time: a.refresh}, NotAfter: &metav1.Time{Time: a.to},
		}
	}
	next.Status.Conditions = []metav1.Condition{a.condition}
	// Apply.
	_, err = s.client.Update(ctx, schemas.PodCertificateRequests, next, "status")
	if err != nil && !apierrors.IsNotFound(err) {
		return 0, fmt.Errorf("answer %s: %w", key, err)
	}
	return 0, nil
}

func (s *Signer) certify(ctx context.Context, r *certificatesv1.PodCertificateRequest, a answer) ([]byte, error) {
	ns, err := s.client.Get(ctx, schemas.Ref{Resource: schemas.Namespaces, Name: schemas.Name(r.Namespace)})
	if err != nil {
		return nil, fmt.Errorf("read namespace of a request: %w", err)
	}
	return s.authority.Pod(certificate.Pod{
		Namespace: r.Namespace, NamespaceUID: string(ns.GetUID()), Account: r.Spec.ServiceAccountName, AccountUID: string(r.Spec.ServiceAccountUID),
		Name: r.Spec.PodName, UID: string(r.Spec.PodUID), Node: string(r.Spec.NodeName), NodeUID: string(r.Spec.NodeUID),
	}, a.key, a.from, a.to)
}
