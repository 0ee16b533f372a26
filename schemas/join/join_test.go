package join_test

import (
	"encoding/json"
	"reflect"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/join"
)

func kind(r schemas.Resource, name string, w schemas.StatusWriter, obj func() schemas.Object) *schemas.Kind {
	return &schemas.Kind{Resource: r, Version: "v1", Kind: name, StatusWriter: w, New: obj}
}

var (
	pods        = kind(schemas.Pods, "Pod", schemas.StatusAgent, func() schemas.Object { return &corev1.Pod{} })
	nodes       = kind(schemas.Nodes, "Node", schemas.StatusAgent, func() schemas.Object { return &corev1.Node{} })
	deployments = kind(schemas.Deployments, "Deployment", schemas.StatusController, func() schemas.Object { return &appsv1.Deployment{} })
	configMaps  = kind(schemas.ConfigMaps, "ConfigMap", schemas.StatusNone, func() schemas.Object { return &corev1.ConfigMap{} })
	namespaces  = kind(schemas.Namespaces, "Namespace", schemas.StatusController, func() schemas.Object { return &corev1.Namespace{} })
)

// Every case runs with the kind's Go type, and without one if no agent has to do with it; parts are YAML, "" none.
var joinTests = []struct {
	name                                 string
	kind                                 *schemas.Kind
	desired, assigned, observed, current string
	want                                 string
	typedOnly                            bool
}{
	{
		name: "a pod that nobody has looked at", kind: pods,
		desired: `{metadata: {name: a, uid: u, generation: 3, resourceVersion: "7"}, spec: {hostname: h}}`,
		want:    `{metadata: {name: a, uid: u, generation: 3}, spec: {hostname: h}, status: {phase: Pending, qosClass: BestEffort}}`,
	},
	{
		name: "a pod that fits nowhere", kind: pods,
		desired:  `{metadata: {name: a, uid: u}}`,
		assigned: `{metadata: {uid: u}, status: {conditions: [{type: PodScheduled, status: "False", reason: Unschedulable, message: "0/1"}, {type: Ready, status: "True"}]}}`,
		want:     `{metadata: {name: a, uid: u}, status: {phase: Pending, qosClass: BestEffort, conditions: [{type: PodScheduled, status: "False", reason: Unschedulable, message: "0/1"}]}}`,
	},
	{
		name: "a readiness gate that nobody speaks of", kind: pods,
		desired:  `{metadata: {name: a, uid: u}, spec: {readinessGates: [{conditionType: x/y}]}}`,
		observed: `{metadata: {uid: u}, status: {phase: Running, conditions: [{type: Ready, status: "True", lastTransitionTime: "2025-01-01T00:00:00Z"}]}}`,
		want: `{metadata: {name: a, uid: u}, spec: {readinessGates: [{conditionType: x/y}]}, status: {phase: Running, qosClass: BestEffort, conditions: [{type: Ready, status: "False", lastTransitionTime: "2025-01-01T00:00:00Z",
			reason: ReadinessGatesNotReady, message: "corresponding condition of pod readiness gate \"x/y\" does not exist."}]}}`,
	},
	{
		name: "a readiness gate that is closed", kind: pods,
		desired:  `{metadata: {name: a, uid: u}, spec: {readinessGates: [{conditionType: x/y}]}}`,
		observed: `{metadata: {uid: u}, status: {phase: Running, conditions: [{type: Ready, status: "True", lastTransitionTime: "2025-01-01T00:00:00Z"}]}}`,
		current:  `{metadata: {uid: u}, status: {conditions: [{type: x/y, status: "False", lastTransitionTime: "2025-01-02T00:00:00Z"}]}}`,
		want: `{metadata: {name: a, uid: u}, spec: {readinessGates: [{conditionType: x/y}]}, status: {phase: Running, qosClass: BestEffort, conditions: [{type: Ready, status: "False", lastTransitionTime: "2025-01-02T00:00:00Z",
			reason: ReadinessGatesNotReady, message: "the status of pod readiness gate \"x/y\" is not \"True\", but False"}, {type: x/y, status: "False", lastTransitionTime: "2025-01-02T00:00:00Z"}]}}`,
	},
	{
		name: "a readiness gate that is open", kind: pods,
		desired:  `{metadata: {name: a, uid: u}, spec: {readinessGates: [{conditionType: x/y}]}}`,
		observed: `{metadata: {uid: u}, status: {phase: Running, conditions: [{type: Ready, status: "True", lastTransitionTime: "2025-01-01T00:00:00Z"}]}}`,
		current:  `{metadata: {uid: u}, status: {conditions: [{type: x/y, status: "True", lastTransitionTime: "2025-01-02T00:00:00Z"}]}}`,
		want: `{metadata: {name: a, uid: u}, spec: {readinessGates: [{conditionType: x/y}]}, status: {phase: Running, qosClass: BestEffort, conditions: [{type: Ready, status: "True", lastTransitionTime: "2025-01-02T00:00:00Z"},
			{type: x/y, status: "True", lastTransitionTime: "2025-01-02T00:00:00Z"}]}}`,
	},
	{
		name: "a placed pod is marked so", kind: pods,
		desired:  `{metadata: {name: a, uid: u}, spec: {hostname: h}}`,
		assigned: `{metadata: {uid: u}, spec: {hostname: old, nodeName: n1}}`,
		want:     `{metadata: {name: a, uid: u}, spec: {hostname: h, nodeName: n1}, status: {phase: Pending, qosClass: BestEffort, conditions: [{type: PodScheduled, status: "True"}]}}`,
	},
	{
		name: "a running pod, being deleted, with an overlay", kind: pods,
		desired:  `{metadata: {name: a, uid: u, deletionTimestamp: "2025-01-01T00:00:00Z"}}`,
		assigned: `{metadata: {uid: u}, spec: {nodeName: n1}, status: {conditions: [{type: PodScheduled, status: "True", reason: Placed}]}}`,
		observed: `{metadata: {uid: u}, status: {phase: Running, podIP: 10.0.0.1, conditions: [{type: Ready, status: "True"}, {type: Initialized, status: "True"}]}}`,
		current:  `{metadata: {uid: u}, status: {podIP: ignored, conditions: [{type: Ready, status: "False", reason: NodeLost}, {type: DisruptionTarget, status: "True"}]}}`,
		want: `{metadata: {name: a, uid: u, deletionTimestamp: "2025-01-01T00:00:00Z"}, spec: {nodeName: n1}, status: {phase: Running, qosClass: BestEffort, podIP: 10.0.0.1, conditions: [
			{type: PodScheduled, status: "True", reason: Placed}, {type: Ready, status: "False", reason: NodeLost}, {type: Initialized, status: "True"}, {type: DisruptionTarget, status: "True"}]}}`,
	},
	{
		name: "the controller calls a pod failed", kind: pods,
		desired:  `{metadata: {name: a, uid: u}}`,
		observed: `{metadata: {uid: u}, status: {phase: Running, reason: Old, message: old}}`,
		current:  `{metadata: {uid: u}, status: {phase: Failed, reason: Evicted}}`,
		want:     `{metadata: {name: a, uid: u}, status: {phase: Failed, qosClass: BestEffort, reason: Evicted}}`,
	},
	{
		name: "parts of an earlier pod of the name", kind: pods,
		desired:  `{metadata: {name: a, uid: new}}`,
		assigned: `{metadata: {uid: old}, spec: {nodeName: n1}}`,
		observed: `{metadata: {uid: old}, status: {phase: Running}}`,
		current:  `{metadata: {uid: old}, status: {phase: Failed}}`,
		want:     `{metadata: {name: a, uid: new}, status: {phase: Pending, qosClass: BestEffort}}`,
	},
	{
		name: "a node that is not heard of", kind: nodes,
		desired:  `{metadata: {name: n, uid: u}, spec: {podCIDR: 10.244.1.0/24}, status: {phase: Running}}`,
		observed: `{metadata: {uid: u}, status: {addresses: [{type: InternalIP, address: 10.0.0.1}], conditions: [{type: Ready, status: "True"}, {type: DiskPressure, status: "False"}]}}`,
		current:  `{metadata: {uid: u}, status: {conditions: [{type: Ready, status: Unknown}]}}`,
		want:     `{metadata: {name: n, uid: u}, spec: {podCIDR: 10.244.1.0/24}, status: {addresses: [{type: InternalIP, address: 10.0.0.1}], conditions: [{type: Ready, status: Unknown}, {type: DiskPressure, status: "False"}]}}`,
	},
	{
		name: "a deployment", kind: deployments,
		desired: `{metadata: {name: d, uid: u}, spec: {replicas: 3}, status: {replicas: 9}}`,
		current: `{metadata: {uid: u}, status: {replicas: 2}}`,
		want:    `{metadata: {name: d, uid: u}, spec: {replicas: 3}, status: {replicas: 2}}`,
	},
	{
		name: "a deployment without a status", kind: deployments,
		desired: `{metadata: {name: d, uid: u}, status: {replicas: 9}}`,
		want:    `{metadata: {name: d, uid: u}}`,
	},
	{
		name: "a kind without status", kind: configMaps,
		desired: `{metadata: {name: c, uid: u}, data: {a: b}}`,
		want:    `{metadata: {name: c, uid: u}, data: {a: b}}`,
	},
	{
		name: "a new namespace", kind: namespaces, typedOnly: true,
		desired: `{metadata: {name: c, uid: u}}`,
		want:    `{metadata: {name: c, uid: u}, status: {phase: Active}}`,
	},
	{
		name: "a namespace on its way out", kind: namespaces, typedOnly: true,
		desired: `{metadata: {name: c, uid: u, deletionTimestamp: "2025-01-01T00:00:00Z"}}`,
		want:    `{metadata: {name: c, uid: u, deletionTimestamp: "2025-01-01T00:00:00Z"}, status: {phase: Terminating}}`,
	},
}

func TestJoin(t *testing.T) {
	for _, tt := range joinTests {
		untyped := func() schemas.Object { return &unstructured.Unstructured{} }
		for form, blank := range map[string]func() schemas.Object{"typed": tt.kind.New, "untyped": untyped} {
			if form == "untyped" && (tt.typedOnly || tt.kind.StatusWriter == schemas.StatusAgent) {
				continue
			}
			t.Run(tt.name+"/"+form, func(t *testing.T) {
				parts := []schemas.Object{}
				for _, p := range []string{tt.desired, tt.assigned, tt.observed, tt.current} {
					parts = append(parts, parse(t, blank, p))
				}
				before := render(t, parts)
				got := join.Join(tt.kind, parts[0], parts[1], parts[2], parts[3])
				if g, w := render(t, got), render(t, parse(t, blank, tt.want)); g != w {
					t.Errorf("got  %s\nwant %s", g, w)
				}
				got.SetResourceVersion("99")
				if after := render(t, parts); after != before {
					t.Errorf("parts changed:\n%s\n%s", before, after)
				}
			})
		}
	}
}

// parse makes an object of YAML; a nil one of "".
func parse(t *testing.T, blank func() schemas.Object, s string) schemas.Object {
	t.Helper()
	if s == "" {
		return nil
	}
	o := blank()
	u, untyped := o.(*unstructured.Unstructured)
	var err error
	if untyped {
		err = yaml.Unmarshal([]byte(s), &u.Object)
	} else {
		err = yaml.Unmarshal([]byte(s), o)
	}
	if err != nil {
		t.Fatalf("parse %s: %v", s, err)
	}
	return o
}

func render(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSplit(t *testing.T) {
	d := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{Kind: "Deployment", APIVersion: "apps/v1"},
		ObjectMeta: metav1.ObjectMeta{Name: "d", Namespace: "ns", UID: "u", Labels: map[string]string{"a": "b"}, ResourceVersion: "9"},
		Spec:       appsv1.DeploymentSpec{Paused: true},
		Status:     appsv1.DeploymentStatus{Replicas: 4, Conditions: []appsv1.DeploymentCondition{{Type: "Available"}}},
	}
	before := d.DeepCopy()
	desired, _ := join.Desired(deployments, d).(*appsv1.Deployment)
	if desired.Status.Replicas != 0 || !desired.Spec.Paused || desired.Labels["a"] != "b" || desired.ResourceVersion != "" {
		t.Errorf("desired: %+v", desired)
	}
	status, _ := join.StatusOnly(deployments, d).(*appsv1.Deployment)
	want := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{Kind: "Deployment", APIVersion: "apps/v1"},
		ObjectMeta: metav1.ObjectMeta{Name: "d", Namespace: "ns", UID: "u"},
		Status:     d.Status,
	}
	if !reflect.DeepEqual(status, want) {
		t.Errorf("status only: %+v", status)
	}
	status.Status.Conditions[0].Type = "Changed"
	if !reflect.DeepEqual(d, before) {
		t.Error("splitting changed its argument")
	}
	joined := join.Join(deployments, desired, nil, nil, want)
	joined.SetResourceVersion("9")
	if !reflect.DeepEqual(joined, schemas.Object(before)) {
		t.Errorf("joined again: %+v", joined)
	}

	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "spec": map[string]any{},
		"metadata": map[string]any{"name": "d", "uid": "u", "labels": map[string]any{}},
		"status":   map[string]any{"replicas": int64(1)},
	}}
	if got := render(t, join.StatusOnly(deployments, u)); got != `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d","uid":"u"},"status":{"replicas":1}}` {
		t.Errorf("status only, untyped: %s", got)
	}
	if got := join.Desired(deployments, u); got.(*unstructured.Unstructured).Object["status"] != nil {
		t.Errorf("desired, untyped: %v", got)
	}
}

// A service that is no load balancer has no load balancer's addresses, whatever it had.
func TestServiceStatus(t *testing.T) {
	current := &corev1.Service{ObjectMeta: metav1.ObjectMeta{UID: "u"}, Status: corev1.ServiceStatus{
		LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}}}, Conditions: []metav1.Condition{{Type: "Mine"}}}}
	services := kind(schemas.Services, "Service", schemas.StatusController, func() schemas.Object { return &corev1.Service{} })
	for typ, want := range map[corev1.ServiceType]int{corev1.ServiceTypeLoadBalancer: 1, corev1.ServiceTypeClusterIP: 0} {
		desired := &corev1.Service{ObjectMeta: metav1.ObjectMeta{UID: "u"}, Spec: corev1.ServiceSpec{Type: typ}}
		got, _ := join.Join(services, desired, nil, nil, current).(*corev1.Service)
		if len(got.Status.LoadBalancer.Ingress) != want || len(got.Status.Conditions) != 1 {
			t.Errorf("%s: %+v", typ, got.Status)
		}
	}
	if len(current.Status.LoadBalancer.Ingress) != 1 {
		t.Error("the part was changed")
	}
}
