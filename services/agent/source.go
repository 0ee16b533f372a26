//go:build linux

package agent

import (
	"context"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	v1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/refer"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// source reads ConfigMaps, Secrets and trust bundles from the apiserver, and as last known
// while it cannot be reached. It implements volume.Source.
type source struct {
	conn   *bus.Conn
	client *api.Client
	kept   Keep
}

// patience is how long a container's start waits for an apiserver before it takes
// what was last known.
const patience = 500 * time.Millisecond

func newSource(conn *bus.Conn, table *schemas.Table, kept Keep) *source {
	c := api.NewClient(conn, table)
	c.RetryFor = patience
	return &source{conn: conn, client: c, kept: kept}
}

// ConfigMap implements env.Source.
func (s *source) ConfigMap(ctx context.Context, ns schemas.Namespace, name schemas.Name) (*v1.ConfigMap, error) {
	return read(ctx, s, schemas.Ref{Resource: schemas.ConfigMaps, Namespace: ns, Name: name}, &v1.ConfigMap{})
}

// Secret implements env.Source.
func (s *source) Secret(ctx context.Context, ns schemas.Namespace, name schemas.Name) (*v1.Secret, error) {
	return read(ctx, s, schemas.Ref{Resource: schemas.Secrets, Namespace: ns, Name: name}, &v1.Secret{})
}

// Bundle implements volume.Source.
func (s *source) Bundle(ctx context.Context, name schemas.Name) (*certificatesv1.ClusterTrustBundle, error) {
	return read(ctx, s, schemas.Ref{Resource: schemas.ClusterTrustBundles, Name: name}, &certificatesv1.ClusterTrustBundle{})
}

// bundles are all of a signer's, as they are kept.
type bundles struct {
	metav1.PartialObjectMetadata
	Items []*certificatesv1.ClusterTrustBundle `json:"items"`
}

// BundlesOf implements volume.Source.
func (s *source) BundlesOf(ctx context.Context, signer string) ([]*certificatesv1.ClusterTrustBundle, error) {
	ref, err := refer.Anchors(signer), bus.ErrUnreachable
	if s.conn.Connected() {
		var found []*certificatesv1.ClusterTrustBundle
		if found, err = s.listBundles(ctx, signer); err == nil {
			return found, s.kept.PutObject(ref, &bundles{Items: found})
		}
	}
	var kept bundles
	if there, keptErr := s.kept.Object(ref, &kept); keptErr != nil || !there {
		return nil, err
	}
	return kept.Items, nil
}

func (s *source) listBundles(ctx context.Context, signer string) ([]*certificatesv1.ClusterTrustBundle, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	defer cancel()
	selector := fields.OneTermEqualSelector("spec.signerName", signer).String()
	objs, _, err := s.client.List(ctx, schemas.ClusterTrustBundles, "", metav1.ListOptions{FieldSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("list trust bundles of %s: %w", signer, err)
	}
	out := make([]*certificatesv1.ClusterTrustBundle, 0, len(objs))
	for _, o := range objs {
		if b, ok := o.(*certificatesv1.ClusterTrustBundle); ok {
			out = append(out, b)
		}
	}
	return out, nil
}

// RuntimeClass implements pod.Classes.
func (s *source) RuntimeClass(ctx context.Context, name string) (*nodev1.RuntimeClass, error) {
	return read(ctx, s, schemas.Ref{Resource: schemas.RuntimeClasses, Name: schemas.Name(name)}, &nodev1.RuntimeClass{})
}

// CSIDriver implements volume.Source.
func (s *source) CSIDriver(ctx context.Context, name schemas.Name) (*storagev1.CSIDriver, error) {
	return read(ctx, s, schemas.Ref{Resource: schemas.CSIDrivers, Name: name}, &storagev1.CSIDriver{})
}

// read returns the object, nil if there is none. into is what a kept one is read into.
func read[T interface {
	schemas.Object
	comparable
}](ctx context.Context, s *source, ref schemas.Ref, into T) (T, error) {
	var none T
	var err error
	if s.conn.Connected() {
		var obj schemas.Object
		getCtx, cancel := context.WithTimeout(ctx, 4*patience)
		obj, err = s.client.Get(getCtx, ref)
		cancel()
		switch {
		case err == nil:
			typed, ok := obj.(T)
			if !ok {
				return none, fmt.Errorf("the answer is a %T", obj)
			}
			return typed, s.kept.PutObject(ref, typed)
		case apierrors.IsNotFound(err):
			return none, s.kept.DropObject(ref)
		}
	} else {
		err = bus.ErrUnreachable
	}
	found, keptErr := s.kept.Object(ref, into)
	if keptErr != nil || !found {
		return none, err
	}
	return into, nil
}

// used are the objects that the orders' pods refer to, and so are to be kept.
func used(pods []*v1.Pod) map[schemas.Ref]bool {
	out := map[schemas.Ref]bool{}
	for _, p := range pods {
		if name := p.Spec.RuntimeClassName; name != nil {
			out[schemas.Ref{Resource: schemas.RuntimeClasses, Name: schemas.Name(*name)}] = true
		}
		for i := range p.Spec.Volumes {
			if s := p.Spec.Volumes[i].CSI; s != nil {
				out[schemas.Ref{Resource: schemas.CSIDrivers, Name: schemas.Name(s.Driver)}] = true
			}
		}
		for _, ref := range refer.Objects(p) {
			out[ref] = true
		}
	}
	return out
}

// Pod implements logs.Pods and exec.Pods.
func (a *agent) Pod(k sandbox.Key) *v1.Pod {
	l, _ := a.orders.Order(k)
	if l == nil {
		return nil
	}
	return l.Pod()
}
