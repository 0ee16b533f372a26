package validate_test

import (
	"strings"
	"testing"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas/validate"
)

// faultsCase is a list of errors and what it ought to be.
type faultsCase struct {
	name string
	got  field.ErrorList
	want []fault
}

func run(t *testing.T, cases []faultsCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { expect(t, c.got, c.want...) })
	}
}

// with changes a copy of a good object.
func with[T any](good T, change func(*T)) *T {
	change(&good)
	return &good
}

func cluster(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, ResourceVersion: "1"}
}

func TestConfigMap(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	cm := func(change func(*v1.ConfigMap)) *v1.ConfigMap {
		return with(v1.ConfigMap{ObjectMeta: meta("c"), Data: map[string]string{"a.conf": "1"}}, change)
	}
	same := func(*v1.ConfigMap) {}
	frozen := func(c *v1.ConfigMap) { c.Immutable = new(true) }
	const detail = "field is immutable when `immutable` is set"
	run(t, []faultsCase{
		{"good", validate.ConfigMap(cm(same)), nil},
		{"key", validate.ConfigMap(cm(func(c *v1.ConfigMap) { c.Data["a/b"] = "" })), one(invalid, "data[a/b]", "alphanumeric characters")},
		{"binary key", validate.ConfigMap(cm(func(c *v1.ConfigMap) { c.BinaryData = map[string][]byte{"..": nil} })), one(invalid, "binaryData[..]", "'..'")},
		{"twice", validate.ConfigMap(cm(func(c *v1.ConfigMap) { c.BinaryData = map[string][]byte{"a.conf": nil} })), one(invalid, "data[a.conf]", "binaryData")},
		{"1 MiB", validate.ConfigMap(cm(func(c *v1.ConfigMap) { c.Data = map[string]string{"a": big} })), nil},
		{"too big", validate.ConfigMap(cm(func(c *v1.ConfigMap) { c.Data["b"] = big })), one(tooLong, "data", "1048576")},
		{"update", validate.ConfigMapUpdate(cm(func(c *v1.ConfigMap) { c.Data["b"] = "2" }), cm(same)), nil},
		{"freeze", validate.ConfigMapUpdate(cm(frozen), cm(same)), nil},
		{"thaw", validate.ConfigMapUpdate(cm(same), cm(frozen)), one(forbidden, "immutable", detail)},
		{"frozen data", validate.ConfigMapUpdate(cm(func(c *v1.ConfigMap) { frozen(c); c.Data["b"] = "" }), cm(frozen)), one(forbidden, "data", detail)},
		{"frozen binary", validate.ConfigMapUpdate(cm(func(c *v1.ConfigMap) { frozen(c); c.BinaryData = map[string][]byte{"b": {1}} }), cm(frozen)),
			one(forbidden, "binaryData", detail)},
	})
}

func TestSecret(t *testing.T) {
	of := func(typ v1.SecretType, keyValues ...string) *v1.Secret {
		s := &v1.Secret{ObjectMeta: meta("s"), Type: typ, Data: map[string][]byte{}}
		for i := 0; i < len(keyValues); i += 2 {
			s.Data[keyValues[i]] = []byte(keyValues[i+1])
		}
		return s
	}
	opaque := of(v1.SecretTypeOpaque, "a", "b")
	run(t, []faultsCase{
		{"good", validate.Secret(opaque), nil},
		{"key", validate.Secret(of("x/y", "a b", "")), one(invalid, "data[a b]", "alphanumeric")},
		{"too big", validate.Secret(of("", "a", strings.Repeat("x", 1<<20+1))), one(tooLong, "data", "1048576")},
		{"token", validate.Secret(of(v1.SecretTypeServiceAccountToken)), one(required, "metadata.annotations[kubernetes.io/service-account.name]", "")},
		{"dockercfg", validate.Secret(of(v1.SecretTypeDockercfg)), one(required, "data[.dockercfg]", "")},
		{"dockerconfigjson", validate.Secret(of(v1.SecretTypeDockerConfigJson, ".dockerconfigjson", "hunter2")),
			one(invalid, "data[.dockerconfigjson]", `"<secret contents redacted>": invalid character`)},
		{"basic-auth", validate.Secret(of(v1.SecretTypeBasicAuth)), []fault{{required, "data[username]", ""}, {required, "data[password]", ""}}},
		{"basic-auth user", validate.Secret(of(v1.SecretTypeBasicAuth, "username", "")), nil},
		{"ssh-auth", validate.Secret(of(v1.SecretTypeSSHAuth, "ssh-privatekey", "")), one(required, "data[ssh-privatekey]", "")},
		{"tls", validate.Secret(of(v1.SecretTypeTLS, "tls.crt", "")), one(required, "data[tls.key]", "")},
		{"type changed", validate.SecretUpdate(of("x/y", "a", "b"), opaque), one(invalid, "type", "field is immutable")},
		{"frozen", validate.SecretUpdate(of(v1.SecretTypeOpaque, "a", "c"), with(*opaque, func(s *v1.Secret) { s.Immutable = new(true) })),
			[]fault{{forbidden, "immutable", "`immutable` is set"}, {forbidden, "data", "`immutable` is set"}}},
	})
	for _, e := range validate.Secret(of(v1.SecretTypeDockercfg, ".dockercfg", "hunter2")) {
		if strings.Contains(e.Error(), "hunter2") {
			t.Error("an error tells the secret")
		}
	}
}

func TestNamespace(t *testing.T) {
	ns := func(change func(*v1.Namespace)) *v1.Namespace {
		return with(v1.Namespace{ObjectMeta: cluster("team")}, change)
	}
	run(t, []faultsCase{
		{"good", validate.Namespace(ns(func(n *v1.Namespace) { n.Spec.Finalizers = []v1.FinalizerName{"kubernetes"} })), nil},
		{"name", validate.Namespace(ns(func(n *v1.Namespace) { n.Name = "a.b" })), one(invalid, "metadata.name", "must not contain dots")},
		{"in a namespace", validate.Namespace(ns(func(n *v1.Namespace) { n.Namespace = "x" })), one(forbidden, "metadata.namespace", "not allowed on this type")},
		{"finalizer", validate.Namespace(ns(func(n *v1.Namespace) { n.Spec.Finalizers = []v1.FinalizerName{"mine"} })),
			one(invalid, "spec.finalizers[0]", "neither a standard finalizer name")},
		{"renamed", validate.NamespaceUpdate(ns(func(n *v1.Namespace) { n.Name = "other" }), ns(func(*v1.Namespace) {})),
			one(invalid, "metadata.name", "field is immutable")},
	})
}

func TestNode(t *testing.T) {
	node := func(change func(*v1.Node)) *v1.Node { return with(v1.Node{ObjectMeta: cluster("n1")}, change) }
	taint := func(key, value string, e v1.TaintEffect) v1.Taint { return v1.Taint{Key: key, Value: value, Effect: e} }
	taints := func(list ...v1.Taint) *v1.Node { return node(func(n *v1.Node) { n.Spec.Taints = list }) }
	cidr := func(list ...string) *v1.Node { return node(func(n *v1.Node) { n.Spec.PodCIDRs = list }) }
	bare := node(func(*v1.Node) {})
	const once = `except from "" to valid`
	run(t, []faultsCase{
		{"good", validate.Node(taints(taint("a", "b", "NoSchedule"), taint("a", "c", "NoExecute"))), nil},
		{"taint key", validate.Node(taints(taint("a b", "", "NoSchedule"))), one(invalid, "spec.taints[0].key", "name part")},
		{"taint value", validate.Node(taints(taint("a", "b c", "NoSchedule"))), one(invalid, "spec.taints[0].value", "a valid label")},
		{"no effect", validate.Node(taints(taint("a", "", ""))), one(required, "spec.taints[0].effect", "")},
		{"effect", validate.Node(taints(taint("a", "", "Go"))), one(unsupported, "spec.taints[0].effect", `"NoSchedule"`)},
		{"same taint", validate.NodeUpdate(taints(taint("a", "1", "NoSchedule"), taint("a", "2", "NoSchedule")), bare),
			one(duplicate, "spec.taints[1]", "unique by key and effect")},
		{"cidr", validate.Node(cidr("10.0.0.0")), one(invalid, "spec.podCIDRs[0]", "valid CIDR")},
		{"two of a family", validate.Node(cidr("10.0.0.0/24", "10.0.1.0/24")), one(invalid, "spec.podCIDRs", "one CIDR for each IP family")},
		{"dual stack", validate.Node(cidr("10.0.0.0/24", "fd00::/64")), nil},
		{"same cidr", validate.Node(cidr("10.0.0.0/24", "10.0.0.0/24")), []fault{{duplicate, "spec.podCIDRs[1]", ""}, {invalid, "spec.podCIDRs", "IP family"}}},
		{"podCIDR alone", validate.Node(node(func(n *v1.Node) { n.Spec.PodCIDR = "x" })), one(invalid, "spec.podCIDR", "valid CIDR")},
		{"podCIDR differs", validate.Node(node(func(n *v1.Node) { n.Spec.PodCIDR, n.Spec.PodCIDRs = "10.0.1.0/24", []string{"10.0.0.0/24"} })),
			one(invalid, "spec.podCIDR", "first of podCIDRs")},
		{"capacity", validate.Node(node(func(n *v1.Node) { n.Status.Capacity = v1.ResourceList{"cpu": resource.MustParse("-1")} })),
			one(invalid, "status.capacity[cpu]", "greater than or equal to 0")},
		{"pods in part", validate.Node(node(func(n *v1.Node) { n.Status.Allocatable = v1.ResourceList{"pods": resource.MustParse("1500m")} })),
			one(invalid, "status.allocatable[pods]", "must be an integer")},
		{"addresses", validate.Node(node(func(n *v1.Node) {
			n.Status.Addresses = []v1.NodeAddress{{Type: "Hostname", Address: "a"}, {Type: "Hostname", Address: "a"}}
		})),
			one(duplicate, "status.addresses[1]", "")},
		{"cidr given", validate.NodeUpdate(cidr("10.0.0.0/24"), bare), nil},
		{"cidr taken", validate.NodeUpdate(bare, cidr("10.0.0.0/24")), one(forbidden, "spec.podCIDRs", once)},
		{"cidr changed", validate.NodeUpdate(cidr("10.0.1.0/24"), cidr("10.0.0.0/24")), one(forbidden, "spec.podCIDRs", once)},
		{"provider", validate.NodeUpdate(bare, node(func(n *v1.Node) { n.Spec.ProviderID = "a" })), one(forbidden, "spec.providerID", once)},
		{"cordon", validate.NodeUpdate(node(func(n *v1.Node) { n.Spec.Unschedulable = true }), bare), nil},
	})
}

func TestPriorityClass(t *testing.T) {
	pc := func(name string, value int32) *schedulingv1.PriorityClass {
		return &schedulingv1.PriorityClass{ObjectMeta: cluster(name), Value: value, PreemptionPolicy: new(v1.PreemptLowerPriority)}
	}
	never := pc("p", 1)
	never.PreemptionPolicy = new(v1.PreemptNever)
	odd := pc("p", 1)
	odd.PreemptionPolicy = new(v1.PreemptionPolicy("x"))
	run(t, []faultsCase{
		{"good", validate.PriorityClass(pc("p", 1_000_000_000)), nil},
		{"too high", validate.PriorityClass(pc("p", 1_000_000_001)), one(forbidden, "value", "1000000000")},
		{"reserved", validate.PriorityClass(pc("system-mine", 1)), one(forbidden, "metadata.name", "reserved for system use")},
		{"built in", validate.PriorityClass(pc("system-node-critical", 2_000_001_000)), nil},
		{"built in, wrong", validate.PriorityClass(pc("system-node-critical", 1)), one(forbidden, "metadata.name", "reserved")},
		{"policy", validate.PriorityClass(odd), one(unsupported, "preemptionPolicy", `"PreemptLowerPriority", "Never"`)},
		{"value changed", validate.PriorityClassUpdate(pc("p", 2), pc("p", 1)), one(forbidden, "value", "may not be changed")},
		{"policy changed", validate.PriorityClassUpdate(never, pc("p", 1)), one(invalid, "preemptionPolicy", "field is immutable")},
	})
}

func TestLease(t *testing.T) {
	lease := func(change func(*coordinationv1.LeaseSpec)) *coordinationv1.Lease {
		l := &coordinationv1.Lease{ObjectMeta: meta("l")}
		change(&l.Spec)
		return l
	}
	type spec = *coordinationv1.LeaseSpec
	run(t, []faultsCase{
		{"good", validate.Lease(lease(func(spec) {})), nil},
		{"duration", validate.Lease(lease(func(s spec) { s.LeaseDurationSeconds = new(int32(0)) })), one(invalid, "spec.leaseDurationSeconds", "greater than 0")},
		{"transitions", validate.LeaseUpdate(lease(func(s spec) { s.LeaseTransitions = new(int32(-1)) }), lease(func(spec) {})),
			one(invalid, "spec.leaseTransitions", "greater than or equal to 0")},
		{"strategy", validate.Lease(lease(func(s spec) { s.Strategy = new(coordinationv1.CoordinatedLeaseStrategy("x")) })),
			one(unsupported, "spec.strategy", "OldestEmulationVersion")},
		{"own strategy", validate.Lease(lease(func(s spec) { s.Strategy = new(coordinationv1.CoordinatedLeaseStrategy("a.b/c")) })), nil},
		{"preferred", validate.Lease(lease(func(s spec) { s.PreferredHolder = new("a") })), one(forbidden, "spec.preferredHolder", "`strategy`")},
	})
}

func TestServiceAccount(t *testing.T) {
	sa := &v1.ServiceAccount{ObjectMeta: meta("sa")}
	run(t, []faultsCase{
		{"good", validate.ServiceAccount(sa), nil},
		{"name", validate.ServiceAccount(&v1.ServiceAccount{ObjectMeta: meta("S")}), one(invalid, "metadata.name", "RFC 1123")},
		{"renamed", validate.ServiceAccountUpdate(&v1.ServiceAccount{ObjectMeta: meta("sb")}, sa), one(invalid, "metadata.name", "immutable")},
	})
}

func TestEvent(t *testing.T) {
	old := func(about string) *v1.Event {
		return &v1.Event{ObjectMeta: meta("e"), InvolvedObject: v1.ObjectReference{Namespace: about}}
	}
	long := strings.Repeat("x", 129)
	newer := old("default")
	newer.EventTime = metav1.NewMicroTime(time.Unix(1, 0))
	bad := newer.DeepCopy()
	bad.ReportingInstance, bad.Reason, bad.Message = long, long, strings.Repeat("x", 1025)
	run(t, []faultsCase{
		{"good", validate.Event(old("default")), nil},
		{"cluster-scoped", validate.Event(old("")), nil},
		{"elsewhere", validate.EventUpdate(old("other"), old("default")), one(invalid, "involvedObject.namespace", "does not match event.namespace")},
		{"newer form", validate.Event(newer), []fault{
			{required, "reportingComponent", ""}, {required, "reportingInstance", ""}, {required, "action", ""}, {required, "reason", ""}}},
		{"too long", validate.Event(bad), []fault{{required, "reportingComponent", ""}, {required, "action", ""},
			{invalid, "reportingInstance", "at most 128"}, {invalid, "reason", "at most 128"}, {invalid, "message", "at most 1024"}}},
	})
}

func TestSubresources(t *testing.T) {
	scale := func(n int32) *autoscalingv1.Scale {
		return &autoscalingv1.Scale{ObjectMeta: meta("d"), Spec: autoscalingv1.ScaleSpec{Replicas: n}}
	}
	run(t, []faultsCase{
		{"binding", validate.PodBinding(&v1.Binding{Target: v1.ObjectReference{Kind: "Node", Name: "n1"}}), nil},
		{"binding kind", validate.PodBinding(&v1.Binding{Target: v1.ObjectReference{Kind: "Pod", Name: "p"}}), one(unsupported, "target.kind", `"Node"`)},
		{"binding name", validate.PodBinding(&v1.Binding{}), one(required, "target.name", "")},
		{"scale", validate.Scale(scale(0)), nil},
		{"scale negative", validate.Scale(scale(-1)), one(invalid, "spec.replicas", "greater than or equal to 0")},
		{"eviction", validate.Eviction(&policyv1.Eviction{ObjectMeta: meta("p")}, "p"), nil},
		{"eviction of another", validate.Eviction(&policyv1.Eviction{ObjectMeta: meta("q")}, "p"), one(invalid, "metadata.name", "name of the pod")},
		{"eviction grace", validate.Eviction(&policyv1.Eviction{ObjectMeta: meta("p"), DeleteOptions: &metav1.DeleteOptions{GracePeriodSeconds: new(int64(-1))}}, "p"),
			one(invalid, "deleteOptions.gracePeriodSeconds", "greater than or equal to 0")},
	})
}
