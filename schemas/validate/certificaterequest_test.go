package validate_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas/defaults"
	"github.com/skerry/skerry/schemas/validate"
)

// prove is an empty PKCS#10 request of key.
func prove(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func goodRequest(t *testing.T, key crypto.Signer) certificatesv1.PodCertificateRequest {
	t.Helper()
	r := certificatesv1.PodCertificateRequest{ObjectMeta: meta("r"), Spec: certificatesv1.PodCertificateRequestSpec{
		SignerName: "a.b/c", PodName: "p", PodUID: "1", ServiceAccountName: "sa", ServiceAccountUID: "2", NodeName: "n", NodeUID: "3", StubPKCS10Request: prove(t, key)}}
	defaults.PodCertificateRequest(&r)
	return r
}

func signingKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestPodCertificateRequest(t *testing.T) {
	good := goodRequest(t, signingKey(t, elliptic.P256()))
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	big, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	type spec = certificatesv1.PodCertificateRequestSpec
	of := func(change func(*spec)) *certificatesv1.PodCertificateRequest {
		return with(good, func(r *certificatesv1.PodCertificateRequest) { change(&r.Spec) })
	}
	proof := func(der []byte) *certificatesv1.PodCertificateRequest {
		return of(func(s *spec) { s.StubPKCS10Request = der })
	}
	forged := append([]byte{}, good.Spec.StubPKCS10Request...)
	forged[len(forged)-1] ^= 1
	long := types.UID(strings.Repeat("u", 129))
	const at = "spec.stubPKCS10Request"
	run(t, []faultsCase{
		{"good", validate.PodCertificateRequest(&good), nil},
		{"RSA", validate.PodCertificateRequest(proof(prove(t, big))), nil},
		{"Ed25519", validate.PodCertificateRequest(proof(prove(t, edwards))), nil},
		{"P-521", validate.PodCertificateRequest(proof(prove(t, signingKey(t, elliptic.P521())))), nil},
		{"P-224", validate.PodCertificateRequest(proof(prove(t, signingKey(t, elliptic.P224())))), one(invalid, at, `"curve P-224": elliptic public keys must use curve P256, P384, or P521`)},
		{"small RSA", validate.PodCertificateRequest(proof(prove(t, small))), one(invalid, at, `"2048-bit modulus": RSA keys must have modulus size 3072 or 4096`)},
		{"forged", validate.PodCertificateRequest(proof(forged)), one(invalid, at, "invalid signature")},
		{"no request", validate.PodCertificateRequest(proof([]byte("x"))), one(invalid, at, "must be a valid PKCS#10 CSR")},
		{"no proof", validate.PodCertificateRequest(proof(nil)), one(invalid, "spec", "exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set")},
		{"long", validate.PodCertificateRequest(proof(make([]byte, 10<<10+1))), one(tooLong, at, "10240")},
		{"signer", validate.PodCertificateRequest(of(func(s *spec) { s.SignerName = "c" })), one(invalid, "spec.signerName", "must be a fully qualified domain")},
		{"annotation", validate.PodCertificateRequest(of(func(s *spec) { s.UnverifiedUserAnnotations = map[string]string{"k": "v"} })),
			one(invalid, "spec.unverifiedUserAnnotations", "must be a domain-prefixed key")},
		{"names", validate.PodCertificateRequest(of(func(s *spec) { s.PodName, s.ServiceAccountName, s.NodeName = "P", "S", "" })),
			[]fault{{invalid, "spec.podName", "lowercase"}, {invalid, "spec.serviceAccountName", "lowercase"}, {invalid, "spec.nodeName", "lowercase"}}},
		{"no uids", validate.PodCertificateRequest(of(func(s *spec) { s.PodUID, s.ServiceAccountUID, s.NodeUID = "", "", "" })),
			[]fault{{invalid, "spec.podUID", "must not be empty"}, {invalid, "spec.serviceAccountUID", "must not be empty"}, {invalid, "spec.nodeUID", "must not be empty"}}},
		{"long uid", validate.PodCertificateRequest(of(func(s *spec) { s.PodUID = long })), one(tooLong, "spec.podUID", "128")},
		{"no life", validate.PodCertificateRequest(of(func(s *spec) { s.MaxExpirationSeconds = nil })), one(required, "spec.maxExpirationSeconds", "must be set")},
		{"short", validate.PodCertificateRequest(of(func(s *spec) { s.MaxExpirationSeconds = new(int32(3599)) })), one(invalid, "spec.maxExpirationSeconds", "must be in the range [3600, 7862400]")},
		{"long for Kubernetes", validate.PodCertificateRequest(of(func(s *spec) { s.SignerName, s.MaxExpirationSeconds = "kubernetes.io/x", new(int32(86401)) })),
			one(invalid, "spec.maxExpirationSeconds", "must be in the range [3600, 86400]")},
		{"changed", validate.PodCertificateRequestUpdate(of(func(s *spec) { s.PodName = "q" }), &good), one(invalid, "spec", "field is immutable")},
		{"labelled", validate.PodCertificateRequestUpdate(with(good, func(r *certificatesv1.PodCertificateRequest) { r.Labels = map[string]string{"a": "b"} }), &good), nil},
	})
	if *good.Spec.MaxExpirationSeconds != 86400 {
		t.Errorf("it asks for %d seconds", *good.Spec.MaxExpirationSeconds)
	}
}

// issuer makes chains for one key, as its own authority.
type issuer struct {
	key *ecdsa.PrivateKey
	now time.Time
}

func (i issuer) chain(t *testing.T, to crypto.PublicKey, from, life time.Duration, names ...string) string {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: i.now.Add(from), NotAfter: i.now.Add(from + life), DNSNames: names}
	der, err := x509.CreateCertificate(rand.Reader, c, c, to, i.key)
	if err != nil {
		t.Fatal(err)
	}
	return block("CERTIFICATE", nil, der)
}

func TestPodCertificateRequestStatus(t *testing.T) {
	key := signingKey(t, elliptic.P256())
	i := issuer{key, time.Unix(1_800_000_000, 0).UTC()}
	pending := goodRequest(t, key)
	type status = certificatesv1.PodCertificateRequestStatus
	condition := func(kind string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: "R", LastTransitionTime: metav1.NewTime(i.now)}
	}
	of := func(s status) *certificatesv1.PodCertificateRequest {
		return with(pending, func(r *certificatesv1.PodCertificateRequest) { r.Status = s })
	}
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: i.now.Add(d)} }
	// issued is a good answer that change spoils.
	issued := func(change func(*status)) *certificatesv1.PodCertificateRequest {
		s := status{Conditions: []metav1.Condition{condition("Issued")}, CertificateChain: i.chain(t, key.Public(), 0, 2*time.Hour),
			NotBefore: at(0), BeginRefreshAt: at(time.Hour), NotAfter: at(2 * time.Hour)}
		change(&s)
		return of(s)
	}
	good, denied := issued(func(*status) {}), of(status{Conditions: []metav1.Condition{condition("Denied")}})
	during := func(from, life time.Duration) *certificatesv1.PodCertificateRequest {
		return issued(func(s *status) {
			s.CertificateChain, s.NotBefore, s.BeginRefreshAt, s.NotAfter = i.chain(t, key.Public(), from, life), at(from), at(from+life/2), at(from+life)
		})
	}
	leaf := i.chain(t, key.Public(), 0, 2*time.Hour)
	chain := func(text string) *certificatesv1.PodCertificateRequest {
		return issued(func(s *status) { s.CertificateChain = text })
	}
	for _, c := range []struct {
		name   string
		r, old *certificatesv1.PodCertificateRequest
		want   []fault
	}{
		{"issued", good, &pending, nil},
		{"with its authority", chain(leaf + "words\n" + leaf), &pending, nil},
		{"denied", denied, &pending, nil},
		{"failed", of(status{Conditions: []metav1.Condition{condition("Failed")}}), &pending, nil},
		{"nothing", &pending, &pending, nil},
		{"said again", good, good, nil},
		{"a second thought", denied, good, one(invalid, "status", "immutable after PodCertificateRequest is issued, denied, or failed")},
		{"denied with a chain", with(*good, func(r *certificatesv1.PodCertificateRequest) { r.Status.Conditions = denied.Status.Conditions }), &pending,
			one(invalid, "status", "non-condition status fields must be empty when denying or failing the PodCertificateRequest")},
		{"a chain alone", issued(func(s *status) { s.Conditions = nil }), &pending, one(invalid, "status", `status is immutable unless transitioning to "Issued", "Denied", or "Failed"`)},
		{"two ends", issued(func(s *status) { s.Conditions = append(s.Conditions, condition("Failed")) }), &pending,
			one(invalid, "status.conditions[1].type", `There may be at most one condition with type "Issued", "Denied", or "Failed"`)},
		{"not true", issued(func(s *status) { s.Conditions[0].Status = metav1.ConditionFalse }), &pending, one(unsupported, "status.conditions[0].status", `"True"`)},
		{"unknown", issued(func(s *status) { s.Conditions[0].Type = "Approved" }), &pending, one(unsupported, "status.conditions[0].type", `"Issued", "Denied", "Failed"`)},
		{"no reason", issued(func(s *status) { s.Conditions[0].Reason = "" }), &pending, one(required, "status.conditions[0].reason", "")},
		{"no chain", chain(""), &pending, one(invalid, "status.certificateChain", "must contain at least one certificate")},
		{"a key", chain(block("PRIVATE KEY", nil, []byte("x"))), &pending, one(invalid, "status.certificateChain", "must consist entirely of CERTIFICATE PEM blocks")},
		{"and a key", chain(leaf + block("PRIVATE KEY", nil, []byte("x"))), &pending, one(invalid, "status.certificateChain", "must consist entirely of CERTIFICATE PEM blocks")},
		{"no leaf", chain(block("CERTIFICATE", nil, []byte("x"))), &pending, one(invalid, "status.certificateChain", "leaf certificate does not parse as valid X.509")},
		{"no authority", chain(leaf + block("CERTIFICATE", nil, []byte("x"))), &pending, one(invalid, "status.certificateChain", "intermediate certificate does not parse as valid X.509")},
		{"long", chain(leaf + strings.Repeat("x", 100<<10)), &pending, one(tooLong, "status.certificateChain", "102400")},
		{"another key", chain(i.chain(t, signingKey(t, elliptic.P256()).Public(), 0, 2*time.Hour)), &pending, one(invalid, "status.certificateChain", "leaf certificate was not issued to the requested public key")},
		{"names", chain(i.chain(t, key.Public(), 0, 2*time.Hour, ".a..b")), &pending, []fault{
			{invalid, "status.certificateChain", "should not contain '..'"}, {invalid, "status.certificateChain", "should not start or end with '.'"}}},
		{"no times", issued(func(s *status) { s.NotBefore, s.BeginRefreshAt, s.NotAfter = nil, nil, nil }), &pending, []fault{
			{required, "status.notBefore", "consistent with the issued certificate"}, {required, "status.notAfter", "consistent"}, {required, "status.beginRefreshAt", "[notbefore+10min, notafter-10min]"}}},
		{"other beginning", issued(func(s *status) { s.NotBefore = at(time.Second) }), &pending, one(invalid, "status.notBefore", "must be set to the NotBefore time encoded in the leaf certificate")},
		{"other end", issued(func(s *status) { s.NotAfter = at(time.Hour) }), &pending, one(invalid, "status.notAfter", "must be set to the NotAfter time encoded in the leaf certificate")},
		{"early", during(-5*time.Minute, 2*time.Hour), &pending, one(invalid, "status.notBefore", "must be set to within 5 minutes of kube-apiserver's current time")},
		{"nearly early", during(-5*time.Minute+time.Second, 2*time.Hour), &pending, nil},
		{"short", during(0, time.Hour-time.Second), &pending, one(invalid, "status.certificateChain", "leaf certificate lifetime must be >= 1 hour")},
		{"too long", during(0, 24*time.Hour+time.Second), &pending, one(invalid, "status.certificateChain", "leaf certificate lifetime must be <= spec.maxExpirationSeconds (86400)")},
		{"soon renewed", issued(func(s *status) { s.BeginRefreshAt = at(10*time.Minute - time.Second) }), &pending, one(invalid, "status.beginRefreshAt", "must be at least 10 minutes after status.notBefore")},
		{"late renewed", issued(func(s *status) { s.BeginRefreshAt = at(110*time.Minute + time.Second) }), &pending, one(invalid, "status.beginRefreshAt", "must be at least 10 minutes before status.notAfter")},
	} {
		t.Run(c.name, func(t *testing.T) { expect(t, validate.PodCertificateRequestStatus(c.r, c.old, i.now), c.want...) })
	}
}
