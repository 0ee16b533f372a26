package pod

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

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
