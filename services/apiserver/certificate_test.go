package apiserver_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// authority is a certificate that may sign others, as PEM.
func authority(t *testing.T) string {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)}
	der := must(x509.CreateCertificate(rand.Reader, c, c, key.Public(), key))(t)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func trustBundle(name, signer, anchors string) *certificatesv1.ClusterTrustBundle {
	return &certificatesv1.ClusterTrustBundle{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: certificatesv1.ClusterTrustBundleSpec{SignerName: signer, TrustBundle: anchors}}
}

// attester lets bob write trust bundles, and attest for the named signers.
func attester(t *testing.T, admin *api.Client, signers ...string) {
	t.Helper()
	const group = "certificates.k8s.io"
	must(admin.Create(ctx(t), schemas.ClusterRoles, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "attester"}, Rules: []rbacv1.PolicyRule{
		{Verbs: []string{"*"}, APIGroups: []string{group}, Resources: []string{"clustertrustbundles"}},
		{Verbs: []string{"attest"}, APIGroups: []string{group}, Resources: []string{"signers"}, ResourceNames: signers}}}))(t)
	must(admin.Create(ctx(t), schemas.ClusterRoleBindings, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "attester"},
		RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "attester"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "bob"}}}))(t)
}

// TestWhoSpeaksForASigner: only who may attest for a signer says which anchors are its.
func TestWhoSpeaksForASigner(t *testing.T) {
	cl, admin := one(t)
	bob := cl.client(t, "bob")
	attester(t, admin, "a.b/c", "d.e/*")
	a, b := authority(t), authority(t)
	for _, bundle := range []*certificatesv1.ClusterTrustBundle{trustBundle("free", "", a), trustBundle("a.b:c:1", "a.b/c", a), trustBundle("d.e:f:1", "d.e/f", a)} {
		must(bob.Create(ctx(t), schemas.ClusterTrustBundles, bundle))(t)
	}
	refused := func(err error) {
		t.Helper()
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `user not permitted to attest for signerName "g.h/i"`) {
			t.Errorf("got %v", err)
		}
	}
	_, err := bob.Create(ctx(t), schemas.ClusterTrustBundles, trustBundle("g.h:i:1", "g.h/i", a))
	refused(err)
	obj := must(admin.Create(ctx(t), schemas.ClusterTrustBundles, trustBundle("g.h:i:1", "g.h/i", a)))(t)
	ref := schemas.RefOf(schemas.ClusterTrustBundles, obj)
	patch := func(what string) error {
		_, err := bob.Patch(ctx(t), ref, types.MergePatchType, []byte(what), "")
		return err
	}
	refused(patch(`{"spec": {"trustBundle": "` + strings.ReplaceAll(b, "\n", `\n`) + `"}}`))
	refused(patch(`{"metadata": {"labels": {"a": "b"}}}`))
	if err := patch(`{"metadata": {"finalizers": ["x/y"]}}`); err != nil {
		t.Errorf("garbage collection is kept from its work: %v", err)
	}
	if err := patch(`{"spec": {"signerName": "a.b/c"}}`); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "field is immutable") {
		t.Errorf("another signer: %v", err)
	}
	found, _, err := bob.List(ctx(t), schemas.ClusterTrustBundles, "", metav1.ListOptions{FieldSelector: "spec.signerName=d.e/f"})
	if err != nil || len(found) != 1 || found[0].GetName() != "d.e:f:1" {
		t.Errorf("of one signer: %v, %v", found, err)
	}
}
