package caution

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// What each manifest's author is told, one line each, as Kubernetes' apiserver says it.
func TestPods(t *testing.T) {
	tests := map[string]struct{ spec, want string }{
		"nothing": {`{containers: [{name: c, image: x}]}`, ``},
		"old labels": {`{nodeSelector: {beta.kubernetes.io/os: linux}, affinity: {nodeAffinity: {
			requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: beta.kubernetes.io/arch, operator: Exists}]}]},
			preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: a, operator: In, values: [" "]}]}}]}}}`,
			`spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead
spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key: beta.kubernetes.io/arch is deprecated since v1.14; use "kubernetes.io/arch" instead
spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].values[0]:   is invalid, a valid label`},
		"spread": {`{topologySpreadConstraints: [{topologyKey: failure-domain.beta.kubernetes.io/zone}]}`,
			`spec.topologySpreadConstraints[0].topologyKey: failure-domain.beta.kubernetes.io/zone is deprecated since v1.17; use "topology.kubernetes.io/zone" instead
spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod`},
		"affinity": {`{affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: z}]}, podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{podAffinityTerm: {topologyKey: z}}]}}}`,
			`spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: a null labelSelector results in matching no pod
spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.labelSelector: a null labelSelector results in matching no pod`},
		"lists": {`{hostAliases: [{ip: 1.2.3.4}, {ip: 1.2.3.4}], imagePullSecrets: [{name: a}, {name: a}, {}]}`,
			`spec.hostAliases[1].ip: duplicate ip "1.2.3.4"
spec.imagePullSecrets[1].name: duplicate name "a"
spec.imagePullSecrets[2].name: invalid empty name ""`},
		"bytes": {`{overhead: {memory: 10m}, containers: [{resources: {limits: {memory: 1500m, cpu: 100m}, requests: {ephemeral-storage: 1m}}}]}`,
			`spec.overhead[memory]: fractional byte value "10m" is invalid, must be an integer
spec.containers[0].resources.limits[memory]: fractional byte value "1500m" is invalid, must be an integer
spec.containers[0].resources.requests[ephemeral-storage]: fractional byte value "1m" is invalid, must be an integer`},
		"variables": {`{containers: [{env: [{name: A, value: a}, {name: A, value: "$(A)b"}, {name: A, value: c}, {name: A, value: $(A)}, {name: A, valueFrom: {}}]}]}`,
			`spec.containers[0].env[2]: hides previous definition of "A", which may be dropped when using apply
spec.containers[0].env[3]: hides previous definition of "A", which may be dropped when using apply
spec.containers[0].env[4]: hides previous definition of "A", which may be dropped when using apply`},
		"ports": {`{initContainers: [{ports: [{containerPort: 1, name: a}]}], containers: [{ports: [{containerPort: 1, name: a}, {containerPort: 1, hostPort: 5}, {containerPort: 1, protocol: UDP}, {containerPort: 2, hostPort: 6, hostIP: 1.2.3.4}, {containerPort: 2, hostPort: 6}]}]}`,
			`spec.containers[0].ports[0]: duplicate port definition with spec.initContainers[0].ports[0]
spec.containers[0].ports[1]: overlapping port definition with spec.initContainers[0].ports[0]
spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]
spec.containers[0].ports[4]: dangerously ambiguous port definition with spec.containers[0].ports[3]
spec.containers[0].ports[0]: duplicate port name "a" with spec.initContainers[0].ports[0], services and probes that select ports by name will use spec.initContainers[0].ports[0]`},
		"host address": {`{containers: [{ports: [{containerPort: 1, hostIP: 1.2.3.4}]}]}`, `spec.containers[0].ports[0]: hostIP set without hostPort: `},
		"files": {`{volumes: [{name: a, configMap: {name: m, items: [{path: d}, {path: d/e}]}}, {name: b, projected: {sources: [{secret: {name: s, items: [{path: x/}]}}, {serviceAccountToken: {path: x}}, {}]}}, {name: c, secret: {secretName: s, items: [{path: a}, {path: ab}]}}]}`,
			`volume "a" (ConfigMap "m"): overlapping paths: "d/e" with "d"
volume "b" (Projected) has no sources provided
volume "b" (Projected): overlapping paths: "x" (ServiceAccountToken) with "x" (Secret "s")`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := &corev1.Pod{}
			p.Name = "p"
			if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(tt.spec, "\t", " ")), &p.Spec); err != nil {
				t.Fatal(err)
			}
			same(t, Of(p, nil), tt.want)
			same(t, Of(p, p.DeepCopy()), "")
		})
	}
}

// same compares lines; the last one may go on.
func same(t *testing.T, got []string, want string) {
	t.Helper()
	var lines []string
	if want != "" {
		lines = strings.Split(want, "\n")
	}
	for i := range max(len(got), len(lines)) {
		switch {
		case i >= len(got):
			t.Errorf("nothing is said of: %s", lines[i])
		case i >= len(lines) || !strings.HasPrefix(got[i], lines[i]):
			t.Errorf("said: %s", got[i])
		}
	}
}

func TestMetadata(t *testing.T) {
	p := &corev1.Pod{}
	p.Name = "a.b"
	p.Annotations = map[string]string{
		"scheduler.alpha.kubernetes.io/critical-pod": "", corev1.SeccompPodAnnotationKey: "x", corev1.SeccompContainerAnnotationKeyPrefix + "c": "x",
		corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix + "c": "unconfined",
	}
	p.Spec.Containers = []corev1.Container{{Name: "c"}}
	same(t, Of(p, nil), `metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [
metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the "priorityClassName" field instead
metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional in v1.27+; use the "seccompProfile" field instead
metadata.annotations[container.seccomp.security.alpha.kubernetes.io/c]: non-functional in v1.27+; use the "seccompProfile" field instead
metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]: deprecated since v1.30; use the "appArmorProfile" field instead`)
}

// A template is spoken of when it is new or changed, not each time that its object is.
func TestTemplates(t *testing.T) {
	d := &appsv1.Deployment{}
	d.Name, d.Generation = "d", 1
	minus := int64(-1)
	d.Spec.Template.Spec.TerminationGracePeriodSeconds = &minus
	d.Spec.Template.Spec.NodeSelector = map[string]string{"beta.kubernetes.io/os": "linux"}
	const said = `spec.template.spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead
spec.template.spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`
	same(t, Of(d, nil), said)
	same(t, Of(d, d.DeepCopy()), "")
	changed := d.DeepCopy()
	changed.Generation = 2
	same(t, Of(changed, d), said)
	same(t, Of(&corev1.ConfigMap{}, nil), "")
}
