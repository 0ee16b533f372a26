package validate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas/validate"
)

func block(kind string, headers map[string]string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Headers: headers, Bytes: der}))
}

// certificate is one that its own key signed.
func certificate(t *testing.T, name string, ca bool) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: ca, BasicConstraintsValid: true,
		NotBefore: time.Unix(1, 0), NotAfter: time.Unix(2, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestClusterTrustBundle(t *testing.T) {
	a, b, leaf := certificate(t, "a", true), certificate(t, "b", true), certificate(t, "leaf", false)
	both := block("CERTIFICATE", nil, a) + "some words\n" + block("CERTIFICATE", nil, b)
	bundle := func(name, signer, text string) *certificatesv1.ClusterTrustBundle {
		return &certificatesv1.ClusterTrustBundle{ObjectMeta: cluster(name), Spec: certificatesv1.ClusterTrustBundleSpec{SignerName: signer, TrustBundle: text}}
	}
	anchors := func(text string) []fault { return one(invalid, "spec.trustBundle", `"<value omitted>": `+text) }
	of := func(text string) *certificatesv1.ClusterTrustBundle { return bundle("b", "", text) }
	long := strings.Repeat("a", 254) + ".b/" + strings.Repeat("c.", 150) + "c"
	run(t, []faultsCase{
		{"good", validate.ClusterTrustBundle(of(both)), nil},
		{"of a signer", validate.ClusterTrustBundle(bundle("example.com:foo:live", "example.com/foo", both)), nil},
		{"colon", validate.ClusterTrustBundle(bundle("a:b", "", both)), one(invalid, "metadata.name", `ClusterTrustBundle without signer name must not have ":" in its name`)},
		{"no prefix", validate.ClusterTrustBundle(bundle("b", "example.com/foo", both)),
			one(invalid, "metadata.name", "ClusterTrustBundle for signerName example.com/foo must be named with prefix example.com:foo:")},
		{"rest of the name", validate.ClusterTrustBundle(bundle("example.com:foo:A", "example.com/foo", both)), one(invalid, "metadata.name", "lowercase")},
		{"no path", validate.ClusterTrustBundle(bundle("foo:a", "foo", both)),
			one(invalid, "spec.signerName", "must be a fully qualified domain and path of the form 'example.com/signer-name'")},
		{"no domain", validate.ClusterTrustBundle(bundle("foo:bar:a", "foo/bar", both)), one(invalid, "spec.signerName", "should be a domain with at least two segments separated by dots")},
		{"bad label", validate.ClusterTrustBundle(bundle("a_b.c:bar:a", "a_b.c/bar", both)), one(invalid, "spec.signerName", `validating label "a_b"`)},
		{"bad path", validate.ClusterTrustBundle(bundle("a.c:B:a", "a.c/B", both)), one(invalid, "spec.signerName", `validating label "B"`)},
		{"too long a signer", validate.ClusterTrustBundle(bundle("x", long, both)), []fault{{invalid, "metadata.name", "prefix"},
			{tooLong, "spec.signerName", "253"}, {invalid, "spec.signerName", "validating label"}}},
		{"nothing", validate.ClusterTrustBundle(of("words")), anchors("at least one trust anchor must be provided")},
		{"a key", validate.ClusterTrustBundle(of(both + block("PRIVATE KEY", nil, a))), anchors("entry 2 has bad block type: PRIVATE KEY")},
		{"headers", validate.ClusterTrustBundle(of(block("CERTIFICATE", map[string]string{"K": "v"}, a))), anchors("entry 0 has PEM block headers")},
		{"no certificate", validate.ClusterTrustBundle(of(block("CERTIFICATE", nil, []byte("x")))), anchors("entry 0 does not parse as X.509")},
		{"no authority", validate.ClusterTrustBundle(of(block("CERTIFICATE", nil, leaf))), anchors("entry 0 does not have the CA bit set")},
		{"twice", validate.ClusterTrustBundle(of(both + block("CERTIFICATE", nil, a))), anchors("duplicate trust anchor (indices [0 2])")},
		{"too much", validate.ClusterTrustBundle(of(both + strings.Repeat("x", 1<<20))), one(tooLong, "spec.trustBundle", "1048576")},
		{"rotated", validate.ClusterTrustBundleUpdate(of(block("CERTIFICATE", nil, b)), of(both)), nil},
		{"kept as it was", validate.ClusterTrustBundleUpdate(of("of a former version"), of("of a former version")), nil},
		{"spoilt", validate.ClusterTrustBundleUpdate(of(""), of(both)), anchors("at least one")},
		{"another signer", validate.ClusterTrustBundleUpdate(bundle("a.b:c:d", "a.b/c", both), bundle("a.b:c:d", "", both)),
			one(invalid, "spec.signerName", "field is immutable")},
	})
}

func TestProjectedCertificates(t *testing.T) {
	at := func(part string) string { return volumeAt(".projected.sources[0]" + part) }
	set := func(s v1.VolumeProjection) func(*v1.Pod) {
		return volume(v1.VolumeSource{Projected: &v1.ProjectedVolumeSource{Sources: []v1.VolumeProjection{s}}})
	}
	bundle := func(change func(*v1.ClusterTrustBundleProjection)) func(*v1.Pod) {
		return set(v1.VolumeProjection{ClusterTrustBundle: with(v1.ClusterTrustBundleProjection{Path: "p"}, change)})
	}
	cert := func(change func(*v1.PodCertificateProjection)) func(*v1.Pod) {
		good := v1.PodCertificateProjection{SignerName: "a.b/c", KeyType: "ED25519", KeyPath: "key", MaxExpirationSeconds: new(int32(91 * 24 * 3600))}
		return set(v1.VolumeProjection{PodCertificate: with(good, change)})
	}
	everything := &metav1.LabelSelector{}
	const b, c = ".clusterTrustBundle", ".podCertificate"
	runPods(t, []podCase{
		{"bundle", bundle(func(c *v1.ClusterTrustBundleProjection) { c.Name = new("a") }), nil},
		{"bundle of a signer", bundle(func(c *v1.ClusterTrustBundleProjection) { c.Name = new("a.b:c:d") }), nil},
		{"signer's bundles", bundle(func(c *v1.ClusterTrustBundleProjection) { c.SignerName, c.LabelSelector = new("a.b/c"), everything }), nil},
		{"neither", bundle(func(*v1.ClusterTrustBundleProjection) {}), one(required, at(b), "either name or signerName must be specified")},
		{"both", bundle(func(c *v1.ClusterTrustBundleProjection) { c.Name, c.SignerName = new("a"), new("a.b/c") }), one(invalid, at(b), "only one of name and signerName may be used")},
		{"no name", bundle(func(c *v1.ClusterTrustBundleProjection) { c.Name = new("") }), []fault{
			{required, at(b + ".name"), "must be a valid object name"}, {invalid, at(b + ".name"), "not a valid clustertrustbundlename: "}}},
		{"selector of one", bundle(func(c *v1.ClusterTrustBundleProjection) { c.Name, c.LabelSelector = new("a"), everything }),
			one(invalid, at(b+".labelSelector"), "labelSelector must be unset if name is specified")},
		{"no signer", bundle(func(c *v1.ClusterTrustBundleProjection) { c.SignerName = new("") }), []fault{
			{required, at(b + ".signerName"), ""}, {required, at(b + ".signerName"), "must be a valid signer name"}}},
		{"bad signer", bundle(func(c *v1.ClusterTrustBundleProjection) { c.SignerName = new("c") }), one(invalid, at(b+".signerName"), "must be a fully qualified domain")},
		{"bad selector", bundle(func(c *v1.ClusterTrustBundleProjection) {
			c.SignerName, c.LabelSelector = new("a.b/c"), &metav1.LabelSelector{MatchLabels: map[string]string{"a b": ""}}
		}), one(invalid, at(b+".labelSelector.matchLabels"), "name part")},
		{"path", bundle(func(c *v1.ClusterTrustBundleProjection) { c.Name, c.Path = new("a"), "../x" }), one(invalid, at(b+".path"), "must not contain '..'")},
		{"no path", bundle(func(c *v1.ClusterTrustBundleProjection) { c.Name, c.Path = new("a"), "" }), one(required, at(b+".path"), "")},
		{"user", bundle(func(c *v1.ClusterTrustBundleProjection) { c.Name, c.User = new("a"), new(int64(-1)) }), one(invalid, at(b+".user"), "between 0 and")},

		{"certificate", cert(func(*v1.PodCertificateProjection) {}), nil},
		{"key type", cert(func(c *v1.PodCertificateProjection) { c.KeyType = "RSA2048" }), one(unsupported, at(c+".keyType"), `"RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"`)},
		{"whose", cert(func(c *v1.PodCertificateProjection) { c.SignerName = "" }), one(required, at(c+".signerName"), "")},
		{"nowhere", cert(func(c *v1.PodCertificateProjection) { c.KeyPath = "" }), one(required, at(c), "specify at least one of credentialBundlePath, keyPath, and certificateChainPath")},
		{"one place", cert(func(c *v1.PodCertificateProjection) { c.CertificateChainPath = "key" }), one(invalid, at(c+".certificateChainPath"), "conflicting duplicate paths")},
		{"reserved", cert(func(c *v1.PodCertificateProjection) { c.CredentialBundlePath = "..x" }), one(invalid, at(c+".credentialBundlePath"), "must not start with '..'")},
		{"short", cert(func(c *v1.PodCertificateProjection) { c.MaxExpirationSeconds = new(int32(3599)) }), one(invalid, at(c+".maxExpirationSeconds"), "must be >= 3600")},
		{"long", cert(func(c *v1.PodCertificateProjection) { c.MaxExpirationSeconds = new(int32(91*24*3600 + 1)) }), one(invalid, at(c+".maxExpirationSeconds"), "must be <= 7862400")},
		{"long for Kubernetes", cert(func(c *v1.PodCertificateProjection) { c.SignerName = "x.kubernetes.io/y" }), one(invalid, at(c+".maxExpirationSeconds"), "must be <= 86400")},
		{"annotation", cert(func(c *v1.PodCertificateProjection) { c.UserAnnotations = map[string]string{"plain": "v"} }), one(invalid, at(c+".userAnnotations"), "must be a domain-prefixed key")},
		{"annotations", cert(func(c *v1.PodCertificateProjection) {
			c.UserAnnotations = map[string]string{"a.b/c": strings.Repeat("x", 256<<10)}
		}), one(tooLong, at(c+".userAnnotations"), "262144")},
	})
}
