package pod

import (
	"fmt"
	"strings"
	"testing"
)

// TestPodSecurityAdmission: a namespace's labels decide which pods are let in, and which
// are warned about.
func TestPodSecurityAdmission(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	label := func(labels ...string) string {
		args := []string{"label", "namespace", ns, "--overwrite"}
		for _, l := range labels {
			args = append(args, "pod-security.kubernetes.io/"+l)
		}
		return rig.Skerry(t, "", args...)
	}
	apply(t, ns, script("early", "sleep 1000", "  hostPID: true", ""))
	if out := label("enforce=baseline", "warn=restricted"); !strings.Contains(out, `existing pods in namespace "`+ns+`" violate the new PodSecurity enforce level "baseline:latest"`) {
		t.Errorf("said %s", out)
	}
	if out := refused(t, ns, script("late", "true", "  hostPID: true", "")); !strings.Contains(out, `pods "late" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)`) {
		t.Errorf("said %s", out)
	}
	if out := apply(t, ns, script("plain", "true", "", "")); !strings.Contains(out, `Warning: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false`) {
		t.Errorf("said %s", out)
	}
	label("enforce=restricted")
	good := "  securityContext: {runAsNonRoot: true, runAsUser: 1001, seccompProfile: {type: RuntimeDefault}}"
	own := "    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}"
	if out := apply(t, ns, script("good", "sleep 1000", good, own)); strings.Contains(out, "Warning") {
		t.Errorf("said %s", out)
	}
	running(t, ns, "good")
	deployment := `apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {containers: [{name: c, image: localhost/skerry-test:1}]}
`
	if out := apply(t, ns, deployment); !strings.Contains(out, "Warning: would violate PodSecurity") || !strings.Contains(out, "created") {
		t.Errorf("said %s", out)
	}
	rig.Eventually(t, "an event that says why the deployment has no pod", func() error {
		if out := rig.Skerry(t, "", "events", "-n", ns); !strings.Contains(out, `violates PodSecurity "restricted:latest"`) {
			return fmt.Errorf("events are\n%s", out)
		}
		return nil
	})
	if out, err := rig.TrySkerry(t, "", "label", "namespace", ns, "--overwrite", "pod-security.kubernetes.io/enforce=some"); err == nil || !strings.Contains(out, "must be one of privileged, baseline, restricted") {
		t.Errorf("said %s, %v", out, err)
	}
}
