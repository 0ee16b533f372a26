package validate_test

import (
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/skerry/skerry/schemas/validate"
)

func TestGoodPod(t *testing.T) {
	expect(t, validate.Pod(goodPod()))
	expect(t, validate.PodUpdate(goodPod(), goodPod()))
}

func TestPodMetadata(t *testing.T) {
	runPods(t, []podCase{
		{"no name", func(p *v1.Pod) { p.Name = "" }, one(required, "metadata.name", "name or generateName")},
		{"bad name", func(p *v1.Pod) { p.Name = "Web" }, one(invalid, "metadata.name", "lowercase RFC 1123")},
		{"no namespace", func(p *v1.Pod) { p.Namespace = "" }, one(required, "metadata.namespace", "")},
		{"bad label", func(p *v1.Pod) { p.Labels = map[string]string{"a": "b c"} }, one(invalid, "metadata.labels", "a valid label must be")},
		{"bare finalizer", func(p *v1.Pod) { p.Finalizers = []string{"mine"} },
			one(invalid, "metadata.finalizers[0]", "neither a standard finalizer name")},
		{"standard finalizer", func(p *v1.Pod) { p.Finalizers = []string{"orphan", "example.com/x"} }, nil},
		{"deletion cost", func(p *v1.Pod) {
			p.Annotations = map[string]string{"controller.kubernetes.io/pod-deletion-cost": "+1"}
		},
			one(invalid, "metadata.annotations[controller.kubernetes.io/pod-deletion-cost]", "32bit integer")},
	})
}

func TestPodLife(t *testing.T) {
	runPods(t, []podCase{
		{"restartPolicy", func(p *v1.Pod) { p.Spec.RestartPolicy = "Sometimes" },
			one(unsupported, "spec.restartPolicy", `"Always", "OnFailure", "Never"`)},
		{"no restartPolicy", func(p *v1.Pod) { p.Spec.RestartPolicy = "" }, one(required, "spec.restartPolicy", "")},
		{"dnsPolicy", func(p *v1.Pod) { p.Spec.DNSPolicy = "first" }, one(unsupported, "spec.dnsPolicy", `"ClusterFirst"`)},
		{"no grace", func(p *v1.Pod) { p.Spec.TerminationGracePeriodSeconds = nil },
			one(required, "spec.terminationGracePeriodSeconds", "")},
		{"activeDeadlineSeconds 0", func(p *v1.Pod) { p.Spec.ActiveDeadlineSeconds = new(int64(0)) },
			one(invalid, "spec.activeDeadlineSeconds", "between 1 and 2147483647")},
		{"preemptionPolicy", func(p *v1.Pod) { p.Spec.PreemptionPolicy = new(v1.PreemptionPolicy("x")) },
			one(unsupported, "spec.preemptionPolicy", "PreemptLowerPriority")},
		{"readinessGate", func(p *v1.Pod) { p.Spec.ReadinessGates = []v1.PodReadinessGate{{ConditionType: "a b"}} },
			one(invalid, "spec.readinessGates[0].conditionType", "name part")},
		{"evictionResponders", func(p *v1.Pod) {
			p.Spec.EvictionResponders = []v1.EvictionResponder{{Name: "x.org/a", Priority: new(int32(-1))}, {Name: "x.org/a"}}
		}, []fault{
			{invalid, "spec.evictionResponders[0].priority", "between 0 and 100000"},
			{duplicate, "spec.evictionResponders[1].name", "x.org/a"},
			{required, "spec.evictionResponders[1].priority", ""},
		}},
		{"serviceAccountName", func(p *v1.Pod) { p.Spec.ServiceAccountName = "A" }, one(invalid, "spec.serviceAccountName", "RFC 1123")},
		{"nodeName", func(p *v1.Pod) { p.Spec.NodeName = "N_1" }, one(invalid, "spec.nodeName", "RFC 1123")},
		{"priorityClassName", func(p *v1.Pod) { p.Spec.PriorityClassName = "P" }, one(invalid, "spec.priorityClassName", "RFC 1123")},
		{"runtimeClassName", func(p *v1.Pod) { p.Spec.RuntimeClassName = new("") }, one(invalid, "spec.runtimeClassName", "RFC 1123")},
		{"ephemeral on create", func(p *v1.Pod) { p.Spec.EphemeralContainers = []v1.EphemeralContainer{debugger()} },
			one(forbidden, "spec.ephemeralContainers", "cannot be set on create")},
		{"gated and placed", func(p *v1.Pod) {
			p.Spec.NodeName = "n1"
			p.Spec.SchedulingGates = []v1.PodSchedulingGate{{Name: "a/b"}}
		}, one(forbidden, "spec.nodeName", "schedulingGates")},
		{"resourceClaims", func(p *v1.Pod) {
			p.Spec.ResourceClaims = []v1.PodResourceClaim{{Name: "gpu"}, {Name: "gpu", ResourceClaimName: new("a"), ResourceClaimTemplateName: new("b")}}
			app(p).Resources.Claims = []v1.ResourceClaim{{Name: "gpu"}, {Name: "tpu"}}
		}, []fault{
			{invalid, "spec.resourceClaims[0]", "must specify one of"},
			{duplicate, "spec.resourceClaims[1].name", "gpu"},
			{invalid, "spec.resourceClaims[1]", "at most one of"},
			{notFound, appAt(".resources.claims[1]"), "pod.spec.resourceClaims"},
		}},
		{"pod resources", func(p *v1.Pod) {
			p.Spec.Resources = &v1.ResourceRequirements{
				Claims: []v1.ResourceClaim{{Name: "gpu"}},
				Limits: v1.ResourceList{v1.ResourceCPU: resource.MustParse("500m"), v1.ResourcePods: resource.MustParse("1")},
			}
		}, []fault{
			{forbidden, "spec.resources.claims", "at pod-level"},
			{unsupported, "spec.resources.limits[pods]", `"cpu", "memory"`},
			{invalid, appAt(".resources.limits[cpu]"), "pod limits of 500m"},
		}},
		{"overhead", func(p *v1.Pod) { p.Spec.Overhead = v1.ResourceList{v1.ResourceCPU: resource.MustParse("-1")} },
			one(invalid, "spec.overhead.limits[cpu]", "greater than or equal to 0")},
	})
}

func TestPodNetwork(t *testing.T) {
	runPods(t, []podCase{
		{"hostname", func(p *v1.Pod) { p.Spec.Hostname = "a.b" }, one(invalid, "spec.hostname", "must not contain dots")},
		{"subdomain", func(p *v1.Pod) { p.Spec.Subdomain = "a.b" }, one(invalid, "spec.subdomain", "must not contain dots")},
		{"hostnameOverride", func(p *v1.Pod) {
			p.Spec.HostnameOverride, p.Spec.SetHostnameAsFQDN = new(strings.Repeat("a", 63)+".bc"), new(true)
		}, []fault{{tooLong, "spec.hostnameOverride", "64"}, {forbidden, "spec.hostnameOverride", "setHostnameAsFQDN"}}},
		{"hostAliases", func(p *v1.Pod) {
			p.Spec.HostAliases = []v1.HostAlias{{IP: "1.2.3", Hostnames: []string{"ok", "not ok"}}}
		}, []fault{{invalid, "spec.hostAliases[0].ip", "valid IP"}, {invalid, "spec.hostAliases[0].hostnames[1]", "RFC 1123"}}},
		{"imagePullSecrets", func(p *v1.Pod) { p.Spec.ImagePullSecrets = []v1.LocalObjectReference{{Name: "A"}} },
			one(invalid, "spec.imagePullSecrets[0].name", "RFC 1123")},
		{"host network", func(p *v1.Pod) { p.Spec.HostNetwork = true; app(p).Ports[0].HostPort = 81 },
			one(invalid, appAt(".ports[0].hostPort"), "must match `containerPort`")},
		{"dns none", func(p *v1.Pod) { p.Spec.DNSPolicy = v1.DNSNone }, one(required, "spec.dnsConfig", "must provide `dnsConfig`")},
		{"dns none, no server", func(p *v1.Pod) { p.Spec.DNSPolicy = v1.DNSNone; p.Spec.DNSConfig = &v1.PodDNSConfig{} },
			one(required, "spec.dnsConfig.nameservers", "at least one")},
		{"dnsConfig", func(p *v1.Pod) {
			p.Spec.DNSConfig = &v1.PodDNSConfig{
				Nameservers: []string{"1.1.1.1", "1.1.1.2", "1.1.1.3", "x"},
				Searches:    append([]string{"a b", ".", "_tcp.example.com."}, make([]string, 30)...),
				Options:     []v1.PodDNSConfigOption{{}},
			}
			for i := 3; i < 33; i++ {
				p.Spec.DNSConfig.Searches[i] = strings.Repeat("a", 63) + "." + strings.Repeat("b", 9)
			}
		}, []fault{
			{invalid, "spec.dnsConfig.nameservers", "more than 3"}, {invalid, "spec.dnsConfig.nameservers[3]", "valid IP"},
			{invalid, "spec.dnsConfig.searches", "more than 32"}, {invalid, "spec.dnsConfig.searches", "more than 2048"},
			{invalid, "spec.dnsConfig.searches[0]", "RFC 1123"}, {required, "spec.dnsConfig.options[0].name", "not be empty"},
		}},
	})
}

func debugger() v1.EphemeralContainer {
	return v1.EphemeralContainer{EphemeralContainerCommon: v1.EphemeralContainerCommon{
		Name: "debug", Image: "busybox", ImagePullPolicy: v1.PullAlways, TerminationMessagePolicy: v1.TerminationMessageReadFile,
	}}
}
