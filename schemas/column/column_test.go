package column_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	nodev1 "k8s.io/api/node/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/column"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func ago(d time.Duration) metav1.Time { return metav1.NewTime(now.Add(-d)) }

func row(columns []schemas.Column, obj schemas.Object, wide bool) string {
	var cells []string
	for _, c := range columns {
		if !c.Wide || wide {
			cells = append(cells, c.Value(obj, now))
		}
	}
	return strings.Join(cells, " | ")
}

func header(columns []schemas.Column, wide bool) string {
	var names []string
	for _, c := range columns {
		if !c.Wide || wide {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, " | ")
}

func waiting(reason string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
}

func ended(reason string, code, signal int32) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: reason, ExitCode: code, Signal: signal}}
}

func running() corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
}

// pod makes a pod of one container per state, and init containers likewise.
func pod(phase corev1.PodPhase, states []corev1.ContainerState, inits ...corev1.ContainerState) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", CreationTimestamp: ago(time.Hour)}, Status: corev1.PodStatus{Phase: phase}}
	for i, s := range states {
		name := fmt.Sprint("c", i)
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name})
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: name, State: s, Ready: s.Running != nil})
	}
	for i, s := range inits {
		name := fmt.Sprint("i", i)
		p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: name})
		p.Status.InitContainerStatuses = append(p.Status.InitContainerStatuses, corev1.ContainerStatus{Name: name, State: s})
	}
	return p
}

func with(p *corev1.Pod, change func(p *corev1.Pod)) *corev1.Pod { change(p); return p }

func TestPod(t *testing.T) {
	type states = []corev1.ContainerState
	always := corev1.ContainerRestartPolicyAlways
	started := true
	deleted := ago(time.Second)
	tests := []struct {
		name string
		pod  *corev1.Pod
		want string // name, ready, status, restarts, age
	}{
		{"pending", pod(corev1.PodPending, nil), "p | 0/0 | Pending | 0 | 60m"},
		{"running", pod(corev1.PodRunning, states{running()}), "p | 1/1 | Running | 0 | 60m"},
		{"creating", pod(corev1.PodPending, states{waiting("ContainerCreating")}), "p | 0/1 | ContainerCreating | 0 | 60m"},
		{"evicted", with(pod(corev1.PodFailed, nil), func(p *corev1.Pod) { p.Status.Reason = "Evicted" }), "p | 0/0 | Evicted | 0 | 60m"},
		{"gated", with(pod(corev1.PodPending, nil), func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Reason: corev1.PodReasonSchedulingGated}}
		}), "p | 0/0 | SchedulingGated | 0 | 60m"},
		{"crash loop", with(pod(corev1.PodRunning, states{waiting("CrashLoopBackOff")}), func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].RestartCount = 2
			p.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{FinishedAt: ago(5 * time.Minute)}
		}), "p | 0/1 | CrashLoopBackOff | 2 (5m ago) | 60m"},
		{"first container wins", pod(corev1.PodRunning, states{waiting("ImagePullBackOff"), ended("Error", 1, 0)}), "p | 0/2 | ImagePullBackOff | 0 | 60m"},
		{"completed", pod(corev1.PodSucceeded, states{ended("Completed", 0, 0)}), "p | 0/1 | Completed | 0 | 60m"},
		{"exit code", pod(corev1.PodFailed, states{ended("", 3, 0)}), "p | 0/1 | ExitCode:3 | 0 | 60m"},
		{"signal", pod(corev1.PodFailed, states{ended("", 137, 9)}), "p | 0/1 | Signal:9 | 0 | 60m"},
		{"one done, one runs", pod(corev1.PodRunning, states{ended("Completed", 0, 0), running()}), "p | 1/2 | NotReady | 0 | 60m"},
		{"one done, pod ready", with(pod(corev1.PodRunning, states{ended("Completed", 0, 0), running()}), func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		}), "p | 1/2 | Running | 0 | 60m"},
		{"terminating", with(pod(corev1.PodRunning, states{running()}), func(p *corev1.Pod) { p.DeletionTimestamp = &deleted }), "p | 1/1 | Terminating | 0 | 60m"},
		{"terminating but done", with(pod(corev1.PodSucceeded, states{ended("Completed", 0, 0)}), func(p *corev1.Pod) { p.DeletionTimestamp = &deleted }), "p | 0/1 | Completed | 0 | 60m"},
		{"node lost", with(pod(corev1.PodRunning, states{running()}), func(p *corev1.Pod) {
			p.DeletionTimestamp = &deleted
			p.Status.Reason = "NodeLost"
		}), "p | 1/1 | Unknown | 0 | 60m"},
		{"init first", pod(corev1.PodPending, states{waiting("PodInitializing")}, waiting("PodInitializing"), waiting("PodInitializing")), "p | 0/1 | Init:0/2 | 0 | 60m"},
		{"init second", pod(corev1.PodPending, states{waiting("PodInitializing")}, ended("Completed", 0, 0), running()), "p | 0/1 | Init:1/2 | 0 | 60m"},
		{"init waits", pod(corev1.PodPending, states{waiting("PodInitializing")}, waiting("ErrImagePull")), "p | 0/1 | Init:ErrImagePull | 0 | 60m"},
		{"init fails", pod(corev1.PodPending, states{waiting("PodInitializing")}, ended("", 2, 0)), "p | 0/1 | Init:ExitCode:2 | 0 | 60m"},
		{"init error", pod(corev1.PodPending, states{waiting("PodInitializing")}, ended("Error", 2, 0)), "p | 0/1 | Init:Error | 0 | 60m"},
		{"sidecar", with(pod(corev1.PodRunning, states{running()}, running()), func(p *corev1.Pod) {
			p.Spec.InitContainers[0].RestartPolicy = &always
			p.Status.InitContainerStatuses[0].Started = &started
			p.Status.InitContainerStatuses[0].Ready = true
			p.Status.InitContainerStatuses[0].RestartCount = 1
		}), "p | 2/2 | Running | 1 | 60m"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := row(column.Pod(), tt.pod, false); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestOtherKinds(t *testing.T) {
	meta := metav1.ObjectMeta{Name: "x", CreationTimestamp: ago(36 * time.Hour)}
	five := int32(5)
	template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "i:1"}, {Name: "b", Image: "i:2"}}}}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	tests := []struct {
		columns []schemas.Column
		obj     schemas.Object
		header  string
		want    string
	}{
		{column.Pod(), with(pod(corev1.PodRunning, nil), func(p *corev1.Pod) {
			p.Status.PodIPs = []corev1.PodIP{{IP: "10.244.1.2"}}
			p.Spec.NodeName = "n1"
			p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "x"}}
		}), "NAME | READY | STATUS | RESTARTS | AGE | IP | NODE | NOMINATED NODE | READINESS GATES", "p | 0/0 | Running | 0 | 60m | 10.244.1.2 | n1 | <none> | 0/1"},
		{column.Deployment(), &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Replicas: &five, Template: template, Selector: selector},
			Status: appsv1.DeploymentStatus{ReadyReplicas: 3, UpdatedReplicas: 4, AvailableReplicas: 2}},
			"NAME | READY | UP-TO-DATE | AVAILABLE | AGE | CONTAINERS | IMAGES | SELECTOR", "x | 3/5 | 4 | 2 | 36h | a,b | i:1,i:2 | app=web"},
		{column.ReplicaSet(), &appsv1.ReplicaSet{ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Template: template},
			Status: appsv1.ReplicaSetStatus{Replicas: 1}},
			"NAME | DESIRED | CURRENT | READY | AGE | CONTAINERS | IMAGES | SELECTOR", "x | 1 | 1 | 0 | 36h | a,b | i:1,i:2 | <none>"},
		{column.Node(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "x", CreationTimestamp: ago(time.Minute), Labels: map[string]string{
			"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "edge"}}, Spec: corev1.NodeSpec{Unschedulable: true},
			Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
				Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}}, NodeInfo: corev1.NodeSystemInfo{KubeletVersion: "v1", OSImage: "Debian"}}},
			"NAME | STATUS | ROLES | AGE | VERSION | INTERNAL-IP | EXTERNAL-IP | OS-IMAGE | KERNEL-VERSION | CONTAINER-RUNTIME",
			"x | Ready,SchedulingDisabled | control-plane,edge | 60s | v1 | 10.0.0.1 | <none> | Debian | <unknown> | <unknown>"},
		{column.Node(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}}}},
			"", "x | NotReady | <none> | <unknown> |  | <none> | <none> | <unknown> | <unknown> | <unknown>"},
		{column.Namespace(), &corev1.Namespace{ObjectMeta: meta, Status: corev1.NamespaceStatus{Phase: corev1.NamespaceActive}}, "NAME | STATUS | AGE", "x | Active | 36h"},
		{column.ConfigMap(), &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"a": "", "b": ""}, BinaryData: map[string][]byte{"c": nil}}, "NAME | DATA | AGE", "x | 3 | 36h"},
		{column.Secret(), &corev1.Secret{ObjectMeta: meta, Type: corev1.SecretTypeOpaque, Data: map[string][]byte{"c": nil}}, "NAME | TYPE | DATA | AGE", "x | Opaque | 1 | 36h"},
		{column.ServiceAccount(), &corev1.ServiceAccount{ObjectMeta: meta}, "NAME | AGE", "x | 36h"},
		{column.ClusterTrustBundle(), &certificatesv1.ClusterTrustBundle{ObjectMeta: meta}, "NAME | SIGNERNAME", "x | <none>"},
		{column.ClusterTrustBundle(), &certificatesv1.ClusterTrustBundle{ObjectMeta: meta, Spec: certificatesv1.ClusterTrustBundleSpec{SignerName: "a.b/c"}}, "", "x | a.b/c"},
		{column.Service(), &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, ClusterIPs: []string{"10.96.0.9"}, Selector: map[string]string{"app": "web", "a": "b"},
			Ports: []corev1.ServicePort{{Port: 80, Protocol: "TCP", NodePort: 30080}, {Port: 53, Protocol: "UDP"}}}},
			"NAME | TYPE | CLUSTER-IP | EXTERNAL-IP | PORT(S) | AGE | SELECTOR", "x | NodePort | 10.96.0.9 | <none> | 80:30080/TCP,53/UDP | 36h | a=b,app=web"},
		{column.Service(), &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "example.com"}}, "", "x | ExternalName | <none> | example.com | <none> | 36h | <none>"},
		{column.Service(), &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, ClusterIPs: []string{"10.96.0.9"}}}, "", "x | LoadBalancer | 10.96.0.9 | <pending> | <none> | 36h | <none>"},
		{column.Service(), &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, ExternalIPs: []string{"192.0.2.9"}},
			Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: "192.0.2.2"}, {IP: "192.0.2.1"}}}}}, "", "x | LoadBalancer | <none> | 192.0.2.1,192...,192.0.2.9 | <none> | 36h | <none>"},
		{column.Endpoints(), &corev1.Endpoints{ObjectMeta: meta, Subsets: []corev1.EndpointSubset{{Ports: []corev1.EndpointPort{{Port: 80}},
			Addresses: []corev1.EndpointAddress{{IP: "10.0.0.1"}, {IP: "10.0.0.2"}, {IP: "10.0.0.3"}, {IP: "10.0.0.4"}}}}}, "NAME | ENDPOINTS | AGE", "x | 10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more... | 36h"},
		{column.Endpoints(), &corev1.Endpoints{ObjectMeta: meta}, "", "x | <none> | 36h"},
		{column.EndpointSlice(), &discoveryv1.EndpointSlice{ObjectMeta: meta, AddressType: "IPv4", Ports: []discoveryv1.EndpointPort{{Port: &five}, {}},
			Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}}}, "NAME | ADDRESSTYPE | PORTS | ENDPOINTS | AGE", "x | IPv4 | 5,* | 10.0.0.1 | 36h"},
		{column.EndpointSlice(), &discoveryv1.EndpointSlice{ObjectMeta: meta, AddressType: "IPv4"}, "", "x | IPv4 | <unset> | <unset> | 36h"},
		{column.CSIDriver(), &storagev1.CSIDriver{ObjectMeta: meta}, "NAME | ATTACHREQUIRED | PODINFOONMOUNT | STORAGECAPACITY | TOKENREQUESTS | REQUIRESREPUBLISH | MODES | AGE", "x | true | false | false | <unset> | false | <none> | 36h"},
		{column.CSIDriver(), &storagev1.CSIDriver{ObjectMeta: meta, Spec: storagev1.CSIDriverSpec{AttachRequired: new(false), TokenRequests: []storagev1.TokenRequest{{Audience: "a"}, {Audience: "b"}},
			VolumeLifecycleModes: []storagev1.VolumeLifecycleMode{"Persistent", "Ephemeral"}}}, "", "x | false | false | false | a,b | false | Persistent,Ephemeral | 36h"},
		{column.PodCertificateRequest(), &certificatesv1.PodCertificateRequest{ObjectMeta: meta, Spec: certificatesv1.PodCertificateRequestSpec{
			PodName: "p", ServiceAccountName: "sa", NodeName: "n1", SignerName: "a.b/c", UnverifiedUserAnnotations: map[string]string{"d/e": "f"}}},
			"NAME | PODNAME | SERVICEACCOUNTNAME | NODENAME | SIGNERNAME | STATE | UNVERIFIEDUSERANNOTATIONS", "x | p | sa | n1 | a.b/c | Pending | d/e=f"},
		{column.PodCertificateRequest(), &certificatesv1.PodCertificateRequest{ObjectMeta: meta, Status: certificatesv1.PodCertificateRequestStatus{
			Conditions: []metav1.Condition{{Type: "Denied"}}}}, "", "x |  |  |  |  | Denied | <none>"},
		{column.RuntimeClass(), &nodev1.RuntimeClass{ObjectMeta: meta, Handler: "runsc"}, "NAME | HANDLER | AGE", "x | runsc | 36h"},
		{column.PriorityClass(), &schedulingv1.PriorityClass{ObjectMeta: meta, Value: -7}, "NAME | VALUE | GLOBAL-DEFAULT | AGE | PREEMPTIONPOLICY", "x | -7 | false | 36h | PreemptLowerPriority"},
		{column.Event(), &corev1.Event{ObjectMeta: meta, LastTimestamp: ago(time.Minute), FirstTimestamp: ago(time.Hour), Type: "Warning", Reason: "BackOff", Message: " again\n",
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "p", FieldPath: "spec"}, Source: corev1.EventSource{Component: "agent", Host: "n1"}, Count: 4},
			"LAST SEEN | TYPE | REASON | OBJECT | SUBOBJECT | SOURCE | MESSAGE | FIRST SEEN | COUNT | NAME",
			"60s | Warning | BackOff | pod/p | spec | agent, n1 | again | 60m | 4 | x"},
		{column.Event(), &corev1.Event{ObjectMeta: meta, EventTime: metav1.MicroTime(ago(time.Hour)), Series: &corev1.EventSeries{Count: 9, LastObservedTime: metav1.MicroTime(ago(time.Second))}, ReportingController: "c"},
			"", "1s |  |  |  |  | c |  | 60m | 9 | x"},
	}
	for _, tt := range tests {
		if got := row(tt.columns, tt.obj, true); got != tt.want {
			t.Errorf("%T:\n got %s\nwant %s", tt.obj, got, tt.want)
		}
		if got := header(tt.columns, true); tt.header != "" && got != tt.header {
			t.Errorf("%T:\n got %s\nwant %s", tt.obj, got, tt.header)
		}
	}
}

func TestForeignTypeDoesNotPanic(t *testing.T) {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetName("x")
	if got := row(column.Pod(), u, false); got != "x | <unknown> | <unknown> | <unknown> | <unknown>" {
		t.Error(got)
	}
}
