//go:build linux

package agent

import (
	"context"
	"fmt"

	certificatesv1 "k8s.io/api/certificates/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
)

// certificates asks the apiserver for certificates of pods. It implements volume.Certificates.
type certificates struct {
	*source
	node schemas.NodeName
}

// Request implements volume.Certificates.
func (c *certificates) Request(ctx context.Context, p *v1.Pod, s *v1.PodCertificateProjection, name schemas.Name, proof []byte) error {
	if !c.conn.Connected() {
		return bus.ErrUnreachable
	}
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	defer cancel()
	account, err := c.client.Get(ctx, schemas.Ref{Resource: schemas.ServiceAccounts, Namespace: schemas.Namespace(p.Namespace), Name: schemas.Name(p.Spec.ServiceAccountName)})
	if err != nil {
		return fmt.Errorf("while fetching service account: %w", err)
	}
	node, err := c.client.Get(ctx, schemas.Ref{Resource: schemas.Nodes, Name: schemas.Name(c.node)})
	if err != nil {
		return fmt.Errorf("while getting node object: %w", err)
	}
	r := &certificatesv1.PodCertificateRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: string(name),
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: p.Name, UID: p.UID}}},
		Spec: certificatesv1.PodCertificateRequestSpec{
			SignerName: s.SignerName, PodName: p.Name, PodUID: p.UID, ServiceAccountName: p.Spec.ServiceAccountName, ServiceAccountUID: account.GetUID(),
			NodeName: types.NodeName(c.node), NodeUID: node.GetUID(), MaxExpirationSeconds: s.MaxExpirationSeconds, StubPKCS10Request: proof,
			UnverifiedUserAnnotations: s.UserAnnotations,
		},
	}
	_, err = c.client.Create(ctx, schemas.PodCertificateRequests, r)
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("while creating PodCertificateRequest: %w", err)
	}
	return nil
}

// Requested implements volume.Certificates.
func (c *certificates) Requested(ctx context.Context, ref schemas.Ref) (*certificatesv1.PodCertificateRequest, error) {
	if !c.conn.Connected() {
		return nil, bus.ErrUnreachable
	}
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	defer cancel()
	obj, err := c.client.Get(ctx, ref)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, ok := obj.(*certificatesv1.PodCertificateRequest)
	if !ok {
		return nil, fmt.Errorf("the answer is a %T", obj)
	}
	return r, nil
}
