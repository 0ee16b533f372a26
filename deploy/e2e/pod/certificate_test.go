package pod

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/skerry/skerry/deploy/lab/labtest"
	"github.com/skerry/skerry/services/gateway/certificate"
)

// anchorOf is the certificate of an authority of the test's own.
func anchorOf(t *testing.T) string {
	t.Helper()
	a, err := certificate.Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return string(a.PEM())
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ") + "\n"
}

func trustBundle(name, signer, anchors string) string {
	return fmt.Sprintf("apiVersion: certificates.k8s.io/v1\nkind: ClusterTrustBundle\nmetadata: {name: %q, labels: {e2e: live}}\nspec:\n  signerName: %q\n  trustBundle: |\n%s",
		name, signer, indent(anchors))
}

// TestTrustBundles: a pod has the anchors of one bundle, of a signer's and of the API server in files,
// and sees within a second that they change.
func TestTrustBundles(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	one, signer := ns+"-one", ns+".example.com/tls"
	first, second := ns+".example.com:tls:1", ns+".example.com:tls:2"
	t.Cleanup(func() { rig.Skerry(t, "", "delete", "clustertrustbundles", "--ignore-not-found", one, first, second) })
	a, b := anchorOf(t), anchorOf(t)
	apply(t, ns, trustBundle(one, "", a))
	apply(t, ns, script("trusting", sleep, fmt.Sprintf(`  volumes:
  - name: trust
    projected:
      sources:
      - clusterTrustBundle: {path: one.pem, name: %s}
      - clusterTrustBundle: {path: signer.pem, signerName: %s, labelSelector: {matchLabels: {e2e: live}}}
      - clusterTrustBundle: {path: none.pem, name: %s-none, optional: true}
      - clusterTrustBundle: {path: api.pem, signerName: kubernetes.io/kube-apiserver-serving, labelSelector: {}}`, one, signer, ns),
		"    volumeMounts: [{name: trust, mountPath: /trust}]"))
	mountFailed(t, ns, "trusting", "FailedMount", `MountVolume.SetUp failed for volume "trust" : combination of signerName and labelSelector matched zero ClusterTrustBundles`)
	apply(t, ns, trustBundle(first, signer, a))
	running(t, ns, "trusting")
	authority, err := os.ReadFile(rig.Authority())
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"one.pem": a, "signer.pem": a, "none.pem": "", "api.pem": string(authority)} {
		if got := exec(t, ns, "trusting", "cat", "/trust/"+path); got != want {
			t.Errorf("%s holds %q, want %q", path, got, want)
		}
	}
	count := func(want string) {
		t.Helper()
		start := time.Now()
		shows(t, ns, "trusting", want+"\n", "grep", "-c", "BEGIN CERTIFICATE", "/trust/signer.pem")
		t.Logf("seen after %v", time.Since(start))
	}
	apply(t, ns, trustBundle(second, signer, a+b))
	count("2")
	rig.Skerry(t, "", "delete", "clustertrustbundle", second, "--timeout", labtest.Patience.String())
	count("1")
	apply(t, ns, trustBundle(one, "", b))
	shows(t, ns, "trusting", b, "cat", "/trust/one.pem")
	if out := rig.Skerry(t, "", "get", "clustertrustbundles", one, first); !strings.Contains(out, "SIGNERNAME") || !strings.Contains(out, first) || !strings.Contains(out, "<none>") {
		t.Errorf("get: %s", out)
	}
	if out := rig.Skerry(t, "", "describe", "clustertrustbundle", first); !strings.Contains(out, signer) {
		t.Errorf("describe: %s", out)
	}
	for why, manifest := range map[string]string{
		"at least one trust anchor must be provided": trustBundle(ns, "", "words"),
		"must be named with prefix a.b:c:":           trustBundle(ns, "a.b/c", a),
		"duplicate trust anchor (indices [0 1])":     trustBundle(ns, "", a+a),
	} {
		if out := refused(t, ns, manifest); !strings.Contains(out, why) {
			t.Errorf("no %q in %s", why, out)
		}
	}
}

// certified is a pod that has its certificate for the API.
func certified(name, more string) string {
	return script(name, sleep, fmt.Sprintf(`  serviceAccountName: robot
  automountServiceAccountToken: false
  volumes:
  - name: identity
    projected:
      defaultMode: 0400
      sources:
      - podCertificate:
          {signerName: kubernetes.io/kube-apiserver-client-pod, keyType: ECDSAP384, maxExpirationSeconds: 3600,
           credentialBundlePath: bundle.pem, keyPath: key.pem, certificateChainPath: chain.pem%s}`, more),
		"    volumeMounts: [{name: identity, mountPath: /identity}]")
}

// asPod is an HTTP client with the certificate that the pod has.
func asPod(t *testing.T, bundle string) *http.Client {
	t.Helper()
	pair, err := tls.X509KeyPair([]byte(bundle), []byte(bundle))
	if err != nil {
		t.Fatalf("%v in %s", err, bundle)
	}
	authority, err := os.ReadFile(rig.Authority())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

func ask(t *testing.T, c *http.Client, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, rig.APIURL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// TestPodCertificates: a pod has a key and a certificate, with which it is its service account to the
// API for as long as it is there.
func TestPodCertificates(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	rig.Skerry(t, "", "create", "serviceaccount", "robot", "-n", ns)
	apply(t, ns, certified("sure", ""))
	p := running(t, ns, "sure")
	bundle := exec(t, ns, "sure", "cat", "/identity/bundle.pem")
	if parts := exec(t, ns, "sure", "cat", "/identity/key.pem", "/identity/chain.pem"); parts != bundle || !strings.HasPrefix(bundle, "-----BEGIN PRIVATE KEY-----") {
		t.Errorf("the files are not those of the bundle:\n%s\n%s", parts, bundle)
	}
	c := asPod(t, bundle)
	code, text := ask(t, c, http.MethodPost, "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}")
	var me authenticationv1.SelfSubjectReview
	if err := json.Unmarshal([]byte(text), &me); err != nil || code != http.StatusCreated {
		t.Fatalf("%d %s", code, text)
	}
	if u := me.Status.UserInfo; u.Username != "system:serviceaccount:"+ns+":robot" || !strings.Contains(strings.Join(u.Groups, " "), "system:serviceaccounts:"+ns) {
		t.Errorf("the pod is %+v", u)
	}
	path := "/api/v1/namespaces/" + ns + "/pods/sure"
	if code, text := ask(t, c, http.MethodGet, path, ""); code != http.StatusForbidden {
		t.Errorf("without a role: %d %s", code, text)
	}
	rig.Skerry(t, "", "create", "rolebinding", "robots", "--clusterrole=view", "--serviceaccount="+ns+":robot", "-n", ns)
	if code, text := ask(t, c, http.MethodGet, path, ""); code != http.StatusOK || !strings.Contains(text, string(p.UID)) {
		t.Errorf("with a role: %d %s", code, text)
	}
	if out := rig.Skerry(t, "", "get", "podcertificaterequests", "-n", ns); !strings.Contains(out, "Issued") || strings.Count(out, "\n") != 2 {
		t.Errorf("requests:\n%s", out)
	}
	rig.Skerry(t, "", "delete", "pod", "sure", "-n", ns, "--timeout", labtest.Patience.String())
	rig.Eventually(t, "the certificate does not outlive its pod", func() error {
		if code, text := ask(t, c, http.MethodGet, path, ""); code != http.StatusUnauthorized {
			return fmt.Errorf("%d %s", code, text)
		}
		return nil
	})
	if out := rig.Skerry(t, "", "get", "podcertificaterequests", "-n", ns); strings.Contains(out, "sure") {
		t.Errorf("the pod's requests outlive it:\n%s", out)
	}
}

// TestCertificatesThatAreDenied: the pod waits and says why, and asks no second time.
func TestCertificatesThatAreDenied(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	rig.Skerry(t, "", "create", "serviceaccount", "robot", "-n", ns)
	apply(t, ns, certified("odd", `, userAnnotations: {example.com/color: blue}`))
	mountFailed(t, ns, "odd", "Denied", "was denied, reason=\"InvalidUnverifiedUserAnnotations\"")
	mountFailed(t, ns, "odd", "FailedMount", `MountVolume.SetUp failed for volume "identity" : PodCertificateRequest was permanently denied: reason="InvalidUnverifiedUserAnnotations"`)
	if out := rig.Skerry(t, "", "get", "podcertificaterequests", "-n", ns); strings.Count(out, "Denied") != 1 || strings.Count(out, "\n") != 2 {
		t.Errorf("requests:\n%s", out)
	}
}
