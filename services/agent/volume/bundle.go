//go:build linux

package volume

import (
	"bytes"
	"cmp"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/refer"
)

// Bundles reads trust bundles. What it returns is shared.
type Bundles interface {
	// Bundle returns nil without an error if there is none of that name.
	Bundle(ctx context.Context, name schemas.Name) (*certificatesv1.ClusterTrustBundle, error)
	// BundlesOf returns all bundles of a signer.
	BundlesOf(ctx context.Context, signer string) ([]*certificatesv1.ClusterTrustBundle, error)
}

const (
	// longestAnchors bounds the bytes of one file of trust anchors: it is held in memory.
	longestAnchors = 16 << 20
	// longestSelector is the most bytes of a label selector, as in the kubelet.
	longestSelector = 100 << 10
)

// bundle makes a file of trust anchors: those of one bundle, or of those of a signer that are
// selected by labels.
func (c *collector) bundle(ctx context.Context, s *v1.ClusterTrustBundleProjection, b base) error {
	found, err := c.bundles(ctx, s)
	var missing missingError
	if err != nil && !(errors.As(err, &missing) && isTrue(s.Optional)) {
		return err
	}
	data, err := anchors(found)
	if err != nil {
		return err
	}
	c.out[path.Clean(s.Path)] = c.private(b, data, s.User)
	return nil
}

// private makes a file that no more than the user whom it is for, and the pod's group, may read.
func (c *collector) private(b base, data []byte, user *int64) file {
	f := b.file(data, nil, cmp.Or(user, b.user, tokenUser(c.pod)))
	if f.uid != nil || ownershipOf(c.pod, true).group != nil {
		f.mode = 0o600
	}
	return f
}

func (c *collector) bundles(ctx context.Context, s *v1.ClusterTrustBundleProjection) ([]*certificatesv1.ClusterTrustBundle, error) {
	switch {
	case s.Name != nil:
		found, err := c.read.Bundle(ctx, schemas.Name(*s.Name))
		if err == nil && found == nil {
			err = missingError(fmt.Sprintf("while getting ClusterTrustBundle: clustertrustbundle.certificates.k8s.io %q not found", *s.Name))
		}
		if err != nil {
			return nil, err
		}
		return []*certificatesv1.ClusterTrustBundle{found}, nil
	case s.SignerName != nil:
		return c.selected(ctx, *s.SignerName, s.LabelSelector)
	}
	return nil, errors.New("ClusterTrustBundle projection requires either name or signerName to be set")
}

// selected are a signer's bundles that selector selects: none if it is nil, all if it is empty.
func (c *collector) selected(ctx context.Context, signer string, selector *metav1.LabelSelector) ([]*certificatesv1.ClusterTrustBundle, error) {
	chosen, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, fmt.Errorf("while parsing label selector: %w", err)
	}
	if n := len(chosen.String()); n > longestSelector {
		return nil, fmt.Errorf("label selector length (%d) is larger than %d", n, longestSelector)
	}
	all, err := c.read.BundlesOf(ctx, signer)
	if err != nil {
		return nil, err
	}
	var out []*certificatesv1.ClusterTrustBundle
	for _, b := range all {
		if chosen.Matches(labels.Set(b.Labels)) {
			out = append(out, b)
		}
	}
	if len(out) == 0 {
		return nil, missingError("combination of signerName and labelSelector matched zero ClusterTrustBundles")
	}
	return out, nil
}

// anchors are the certificates of bundles as PEM: each once, in an order that follows from
// them alone, without what was written between them. Pure.
func anchors(bundles []*certificatesv1.ClusterTrustBundle) ([]byte, error) {
	set, size := map[string]bool{}, 0
	for _, b := range bundles {
		rest := []byte(b.Spec.TrustBundle)
		if size += len(rest); size > longestAnchors {
			return nil, fmt.Errorf("the selected ClusterTrustBundles have more than %d bytes", longestAnchors)
		}
		for {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			set[string(block.Bytes)] = true
		}
	}
	var out bytes.Buffer
	for _, der := range slices.Sorted(maps.Keys(set)) {
		if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: []byte(der)}); err != nil {
			return nil, fmt.Errorf("encode trust anchors: %w", err)
		}
	}
	return out.Bytes(), nil
}

// Bundle implements Bundles.
func (r *recent) Bundle(ctx context.Context, name schemas.Name) (*certificatesv1.ClusterTrustBundle, error) {
	ref := schemas.Ref{Resource: schemas.ClusterTrustBundles, Name: name}
	return share(r, ref, func() (*certificatesv1.ClusterTrustBundle, error) { return r.source.Bundle(ctx, name) })
}

// BundlesOf implements Bundles.
func (r *recent) BundlesOf(ctx context.Context, signer string) ([]*certificatesv1.ClusterTrustBundle, error) {
	return share(r, refer.Anchors(signer), func() ([]*certificatesv1.ClusterTrustBundle, error) { return r.source.BundlesOf(ctx, signer) })
}
