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
	v1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
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

// csr is an empty PKCS#10 request and its key.
func csr(t *testing.T) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	return must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key))(t), key
}

// TestPodCertificateRequests: a node asks for a pod of its own, a signer answers once, and both hear what
// is wrong.
func TestPodCertificateRequests(t *testing.T) {
	cl, admin := one(t)
	cl.controller(t)
	node := must(admin.Create(ctx(t), schemas.Nodes, &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}))(t)
	account := must(admin.Create(ctx(t), schemas.ServiceAccounts, &v1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "robot"}}))(t)
	p := must(admin.Create(ctx(t), schemas.Pods, &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p"}, Spec: v1.PodSpec{
		NodeName: "n1", ServiceAccountName: "robot", Containers: []v1.Container{{Name: "c", Image: "i"}}, Volumes: []v1.Volume{{Name: "v", VolumeSource: v1.VolumeSource{
			Projected: &v1.ProjectedVolumeSource{Sources: []v1.VolumeProjection{{PodCertificate: &v1.PodCertificateProjection{SignerName: "a.b/c", KeyType: "ECDSAP256", KeyPath: "k"}}}}}}}}}))(t)
	proof, key := csr(t)
	request := func(name string) *certificatesv1.PodCertificateRequest {
		return &certificatesv1.PodCertificateRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Spec: certificatesv1.PodCertificateRequestSpec{
			SignerName: "a.b/c", PodName: "p", PodUID: p.GetUID(), ServiceAccountName: "robot", ServiceAccountUID: account.GetUID(), NodeName: "n1", NodeUID: node.GetUID(), StubPKCS10Request: proof}}
	}
	agent, other, bob := cl.client(t, bus.NodeUser("n1")), cl.client(t, bus.NodeUser("n2")), cl.client(t, "bob")
	r := as[*certificatesv1.PodCertificateRequest](t, must(agent.Create(ctx(t), schemas.PodCertificateRequests, request("r")))(t))
	if *r.Spec.MaxExpirationSeconds != 86400 {
		t.Errorf("it asks for %d seconds", *r.Spec.MaxExpirationSeconds)
	}
	stolen := request("stolen")
	stolen.Spec.PodUID = "another"
	if _, err := agent.Create(ctx(t), schemas.PodCertificateRequests, stolen); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "contains pod UID (\"another\") which differs from running pod") {
		t.Errorf("for another pod: %v", err)
	}
	if _, err := other.Create(ctx(t), schemas.PodCertificateRequests, request("other")); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "is not the requesting node") {
		t.Errorf("of another node: %v", err)
	}
	ref := schemas.RefOf(schemas.PodCertificateRequests, r)
	if _, err := other.Get(ctx(t), ref); !apierrors.IsForbidden(err) {
		t.Errorf("read by another node: %v", err)
	}
	signer(t, admin, "a.b/d")
	answer := func(c *api.Client, change func(*certificatesv1.PodCertificateRequestStatus)) error {
		next := as[*certificatesv1.PodCertificateRequest](t, must(admin.Get(ctx(t), ref))(t)).DeepCopy()
		now := metav1.Now().Rfc3339Copy()
		next.Status = issued(t, key, now.Time)
		next.Status.Conditions = []metav1.Condition{{Type: "Issued", Status: metav1.ConditionTrue, Reason: "Issued", LastTransitionTime: now}}
		change(&next.Status)
		_, err := c.Update(ctx(t), schemas.PodCertificateRequests, next, "status")
		return err
	}
	fine := func(*certificatesv1.PodCertificateRequestStatus) {}
	if err := answer(bob, fine); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), `User "bob" is not permitted to "sign" for signer "a.b/c"`) {
		t.Errorf("signed by who may not: %v", err)
	}
	signer(t, admin, "a.b/c")
	if err := answer(bob, func(s *certificatesv1.PodCertificateRequestStatus) { s.NotAfter = nil }); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "status.notAfter: Required value") {
		t.Errorf("without its end: %v", err)
	}
	if err := answer(bob, fine); err != nil {
		t.Fatal(err)
	}
	got := as[*certificatesv1.PodCertificateRequest](t, must(agent.Get(ctx(t), ref))(t))
	if len(got.Status.Conditions) != 1 || got.Status.CertificateChain == "" || got.Status.BeginRefreshAt == nil {
		t.Errorf("the node reads %+v", got.Status)
	}
	if err := answer(bob, func(s *certificatesv1.PodCertificateRequestStatus) { s.Conditions[0].Type = "Denied" }); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "immutable after PodCertificateRequest is issued") {
		t.Errorf("a second thought: %v", err)
	}
	found, _, err := agent.List(ctx(t), schemas.PodCertificateRequests, "", metav1.ListOptions{FieldSelector: "spec.nodeName=n1,spec.podName=p"})
	if err != nil || len(found) != 1 {
		t.Errorf("its own: %v, %v", found, err)
	}
}

// signer lets bob sign for one signer, and no other.
func signer(t *testing.T, admin *api.Client, name string) {
	t.Helper()
	const group = "certificates.k8s.io"
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: strings.ReplaceAll(name, "/", "-")}, Rules: []rbacv1.PolicyRule{
		{Verbs: []string{"update"}, APIGroups: []string{group}, Resources: []string{"podcertificaterequests/status"}},
		{Verbs: []string{"sign"}, APIGroups: []string{group}, Resources: []string{"signers"}, ResourceNames: []string{name}}}}
	must(admin.Create(ctx(t), schemas.ClusterRoles, role))(t)
	must(admin.Create(ctx(t), schemas.ClusterRoleBindings, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: role.Name}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "bob"}}}))(t)
}

// issued is a certificate for key that begins at from, and its times.
func issued(t *testing.T, key *ecdsa.PrivateKey, from time.Time) certificatesv1.PodCertificateRequestStatus {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: from.Add(2 * time.Hour)}
	der := must(x509.CreateCertificate(rand.Reader, c, c, key.Public(), key))(t)
	return certificatesv1.PodCertificateRequestStatus{
		CertificateChain: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		NotBefore:        &metav1.Time{Time: from}, BeginRefreshAt: &metav1.Time{Time: from.Add(time.Hour)}, NotAfter: &metav1.Time{Time: from.Add(2 * time.Hour)},
	}
}
