package validate_test

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/skerry/skerry/schemas/validate"
)

func TestContainers(t *testing.T) {
	always := v1.ContainerRestartPolicyAlways
	runPods(t, []podCase{
		{"none", func(p *v1.Pod) { p.Spec.Containers = nil }, one(required, "spec.containers", "")},
		{"no name", func(p *v1.Pod) { app(p).Name = "" }, one(required, appAt(".name"), "")},
		{"bad name", func(p *v1.Pod) { app(p).Name = "a.b" }, one(invalid, appAt(".name"), "must not contain dots")},
		{"same name", func(p *v1.Pod) { p.Spec.Containers = append(p.Spec.Containers, *p.Spec.Containers[0].DeepCopy()) },
			one(duplicate, "spec.containers[1].name", "app")},
		{"same name as init", func(p *v1.Pod) { p.Spec.InitContainers[0].Name = "app" }, one(duplicate, "spec.initContainers[0].name", "app")},
		{"no image", func(p *v1.Pod) { app(p).Image = "" }, one(required, appAt(".image"), "")},
		{"padded image", func(p *v1.Pod) { app(p).Image = " app" }, one(invalid, appAt(".image"), "whitespace")},
		{"imagePullPolicy", func(p *v1.Pod) { app(p).ImagePullPolicy = "always" },
			one(unsupported, appAt(".imagePullPolicy"), `"Always", "IfNotPresent", "Never"`)},
		{"terminationMessagePolicy", func(p *v1.Pod) { app(p).TerminationMessagePolicy = "x" },
			one(unsupported, appAt(".terminationMessagePolicy"), `"File", "FallbackToLogsOnError"`)},
		{"init probe", func(p *v1.Pod) { p.Spec.InitContainers[0].LivenessProbe = app(p).LivenessProbe },
			one(forbidden, "spec.initContainers[0].livenessProbe", "without restartPolicy=Always")},
		{"sidecar probe", func(p *v1.Pod) {
			p.Spec.InitContainers[0].RestartPolicy = &always
			p.Spec.InitContainers[0].LivenessProbe = app(p).LivenessProbe
		}, nil},
		{"init resizePolicy", func(p *v1.Pod) {
			p.Spec.InitContainers[0].ResizePolicy = []v1.ContainerResizePolicy{{ResourceName: v1.ResourceCPU, RestartPolicy: v1.NotRequired}}
		}, one(invalid, "spec.initContainers[0].resizePolicy", "must not be set for init")},
		{"resizePolicy", func(p *v1.Pod) {
			p.Spec.RestartPolicy = v1.RestartPolicyNever
			app(p).ResizePolicy = []v1.ContainerResizePolicy{
				{ResourceName: v1.ResourceCPU, RestartPolicy: v1.RestartContainer}, {ResourceName: v1.ResourceCPU, RestartPolicy: v1.NotRequired}, {ResourceName: "pods"},
			}
		}, []fault{
			{invalid, appAt(".resizePolicy[0].restartPolicy"), "'NotRequired'"}, {duplicate, appAt(".resizePolicy[1]"), "cpu"},
			{unsupported, appAt(".resizePolicy[2].resourceName"), `"cpu", "memory"`}, {required, appAt(".resizePolicy[2].restartPolicy"), ""},
		}},
		{"restart rules", func(p *v1.Pod) {
			app(p).RestartPolicyRules = []v1.ContainerRestartRule{{Action: "Stop"},
				{Action: v1.ContainerRestartRuleActionRestart, ExitCodes: &v1.ContainerRestartRuleOnExitCodes{Operator: "Near"}}}
		}, []fault{
			{required, appAt(".restartPolicy"), "restart rules"}, {unsupported, appAt(".restartPolicyRules[0].action"), "Restart"},
			{required, appAt(".restartPolicyRules[0].exitCodes"), ""}, {unsupported, appAt(".restartPolicyRules[1].exitCodes.operator"), "NotIn"},
			{invalid, appAt(".restartPolicyRules[1].exitCodes.values"), "at least one"},
		}},
		{"container restartPolicy", func(p *v1.Pod) { app(p).RestartPolicy = new(v1.ContainerRestartPolicy("x")) },
			one(unsupported, appAt(".restartPolicy"), `"Always", "Never", "OnFailure"`)},
	})
}

func TestPorts(t *testing.T) {
	runPods(t, []podCase{
		{"no port", func(p *v1.Pod) { app(p).Ports[0].ContainerPort = 0 }, one(required, appAt(".ports[0].containerPort"), "")},
		{"port", func(p *v1.Pod) { app(p).Ports[0].ContainerPort = 65536 }, one(invalid, appAt(".ports[0].containerPort"), "between 1 and 65535")},
		{"hostPort", func(p *v1.Pod) { app(p).Ports[0].HostPort = -1 }, one(invalid, appAt(".ports[0].hostPort"), "between 1 and 65535")},
		{"protocol", func(p *v1.Pod) { app(p).Ports[0].Protocol = "tcp" }, one(unsupported, appAt(".ports[0].protocol"), `"SCTP", "TCP", "UDP"`)},
		{"hostIP", func(p *v1.Pod) { app(p).Ports[0].HostIP = "here" }, one(invalid, appAt(".ports[0].hostIP"), "valid IP")},
		{"name", func(p *v1.Pod) { app(p).Ports[0].Name = "a_b" }, one(invalid, appAt(".ports[0].name"), "alpha-numeric")},
		{"same name", func(p *v1.Pod) { app(p).Ports = append(app(p).Ports, app(p).Ports[0]) }, one(duplicate, appAt(".ports[1].name"), "http")},
		{"same hostPort", func(p *v1.Pod) {
			app(p).Ports[0].HostPort = 80
			other := app(p).DeepCopy()
			other.Name = "other"
			p.Spec.Containers = append(p.Spec.Containers, *other)
		}, one(duplicate, "spec.containers[1].ports[0].hostPort", "TCP//80")},
	})
}

func TestProbes(t *testing.T) {
	port := intstr.FromInt32(80)
	readiness := func(p *v1.Pod) *v1.Probe {
		probe := app(p).LivenessProbe.DeepCopy()
		app(p).ReadinessProbe = probe
		return probe
	}
	runPods(t, []podCase{
		{"no handler", func(p *v1.Pod) { app(p).LivenessProbe.TCPSocket = nil }, one(required, appAt(".livenessProbe"), "must specify a handler")},
		{"two handlers", func(p *v1.Pod) { app(p).LivenessProbe.Exec = &v1.ExecAction{Command: []string{"true"}} },
			one(forbidden, appAt(".livenessProbe.tcpSocket"), "more than 1 handler")},
		{"exec", func(p *v1.Pod) { app(p).LivenessProbe.ProbeHandler = v1.ProbeHandler{Exec: &v1.ExecAction{}} },
			one(required, appAt(".livenessProbe.exec.command"), "")},
		{"httpGet", func(p *v1.Pod) {
			app(p).LivenessProbe.ProbeHandler = v1.ProbeHandler{HTTPGet: &v1.HTTPGetAction{Scheme: "ftp", Port: intstr.FromString("no_port"),
				HTTPHeaders: []v1.HTTPHeader{{Name: "a b"}}}}
		}, []fault{
			{required, appAt(".livenessProbe.httpGet.path"), ""}, {invalid, appAt(".livenessProbe.httpGet.port"), "alpha-numeric"},
			{unsupported, appAt(".livenessProbe.httpGet.scheme"), `"HTTP", "HTTPS"`},
			{invalid, appAt(".livenessProbe.httpGet.httpHeaders[0].name"), "HTTP header"},
		}},
		{"tcp port", func(p *v1.Pod) { app(p).LivenessProbe.TCPSocket.Port.IntVal = 0 }, one(invalid, appAt(".livenessProbe.tcpSocket.port"), "between 1 and")},
		{"grpc port", func(p *v1.Pod) { app(p).LivenessProbe.ProbeHandler = v1.ProbeHandler{GRPC: &v1.GRPCAction{}} },
			one(invalid, appAt(".livenessProbe.grpc.port"), "between 1 and")},
		{"numbers", func(p *v1.Pod) {
			r := readiness(p)
			r.InitialDelaySeconds, r.TimeoutSeconds, r.PeriodSeconds, r.SuccessThreshold, r.FailureThreshold = -1, -1, -1, -1, -1
		}, []fault{
			{invalid, appAt(".readinessProbe.initialDelaySeconds"), "greater than or equal to 0"}, {invalid, appAt(".readinessProbe.timeoutSeconds"), ""},
			{invalid, appAt(".readinessProbe.periodSeconds"), ""}, {invalid, appAt(".readinessProbe.successThreshold"), ""},
			{invalid, appAt(".readinessProbe.failureThreshold"), ""},
		}},
		{"liveness successThreshold", func(p *v1.Pod) { app(p).LivenessProbe.SuccessThreshold = 2 },
			one(invalid, appAt(".livenessProbe.successThreshold"), "must be 1")},
		{"readiness successThreshold", func(p *v1.Pod) { readiness(p).SuccessThreshold = 2 }, nil},
		{"readiness grace", func(p *v1.Pod) { readiness(p).TerminationGracePeriodSeconds = new(int64(1)) },
			one(invalid, appAt(".readinessProbe.terminationGracePeriodSeconds"), "must not be set for readinessProbes")},
		{"liveness grace", func(p *v1.Pod) { app(p).LivenessProbe.TerminationGracePeriodSeconds = new(int64(0)) },
			one(invalid, appAt(".livenessProbe.terminationGracePeriodSeconds"), "greater than 0")},
		{"hooks", func(p *v1.Pod) {
			app(p).Lifecycle = &v1.Lifecycle{PostStart: &v1.LifecycleHandler{}, PreStop: &v1.LifecycleHandler{Sleep: &v1.SleepAction{Seconds: 31}}}
		}, []fault{
			{required, appAt(".lifecycle.postStart"), "must specify a handler"},
			{invalid, appAt(".lifecycle.preStop.sleep"), "less than terminationGracePeriodSeconds (30)"},
		}},
		{"good hook", func(p *v1.Pod) {
			app(p).Lifecycle = &v1.Lifecycle{PreStop: &v1.LifecycleHandler{TCPSocket: &v1.TCPSocketAction{Port: port}}}
		}, nil},
		{"stopSignal without os", func(p *v1.Pod) { app(p).Lifecycle = &v1.Lifecycle{StopSignal: new(v1.SIGTERM)} },
			one(forbidden, appAt(".lifecycle.stopSignal"), "spec.os.name")},
		{"stopSignal", func(p *v1.Pod) {
			p.Spec.OS = &v1.PodOS{Name: v1.Linux}
			app(p).Lifecycle = &v1.Lifecycle{StopSignal: new(v1.Signal("SIGNOT"))}
		}, one(unsupported, appAt(".lifecycle.stopSignal"), "SIGTERM")},
	})
}

func TestResources(t *testing.T) {
	at := func(part string) string { return appAt(".resources" + part) }
	set := func(requests, limits map[string]string) func(*v1.Pod) {
		list := func(m map[string]string) v1.ResourceList {
			out := v1.ResourceList{}
			for k, v := range m {
				out[v1.ResourceName(k)] = resource.MustParse(v)
			}
			return out
		}
		return func(p *v1.Pod) {
			app(p).Resources = v1.ResourceRequirements{Requests: list(requests), Limits: list(limits)}
		}
	}
	runPods(t, []podCase{
		{"over limit", set(map[string]string{"cpu": "2"}, map[string]string{"cpu": "1"}), one(invalid, at(".requests"), "less than or equal to cpu limit of 1")},
		{"negative", set(map[string]string{"memory": "-1"}, nil), one(invalid, at(".requests[memory]"), "greater than or equal to 0")},
		{"unknown", set(nil, map[string]string{"cpus": "1"}), []fault{{invalid, at(".limits[cpus]"), "must be a standard resource for containers"}, {invalid, at(".limits[cpus]"), "must be a standard resource type or fully qualified"}}},
		{"bad name", set(nil, map[string]string{"a b": "1"}), one(invalid, at(".limits[a b]"), "name part")},
		{"extended without limit", set(map[string]string{"example.com/gpu": "1"}, nil), one(required, at(".limits"), "non overcommitable")},
		{"extended unequal", set(map[string]string{"example.com/gpu": "1"}, map[string]string{"example.com/gpu": "2"}),
			one(invalid, at(".requests"), "must be equal to example.com/gpu limit of 2")},
		{"extended part", set(nil, map[string]string{"example.com/gpu": "500m"}), one(invalid, at(".limits[example.com/gpu]"), "must be an integer")},
		{"extended prefix", set(nil, map[string]string{"requests.example.com/gpu": "1"}), one(invalid, at(".limits[requests.example.com/gpu]"), "extended resource name standard")},
		{"extended", set(nil, map[string]string{"example.com/gpu": "1"}), nil},
		{"huge pages alone", set(nil, map[string]string{"hugepages-2Mi": "4Mi"}), one(forbidden, at(""), "HugePages require cpu or memory")},
		{"huge pages odd", set(nil, map[string]string{"hugepages-2Mi": "3Mi", "cpu": "1"}), one(invalid, at(".limits[hugepages-2Mi]"), "multiple of")},
		{"huge pages", set(nil, map[string]string{"hugepages-2Mi": "4Mi", "cpu": "1"}), nil},
	})
}

func TestEphemeralContainers(t *testing.T) {
	p := goodPod()
	ec := debugger()
	ec.Name, ec.TargetContainerName = "app", "gone"
	ec.Ports = []v1.ContainerPort{{ContainerPort: 1, Protocol: v1.ProtocolTCP}}
	ec.Resources.Limits = v1.ResourceList{v1.ResourceCPU: resource.MustParse("1")}
	ec.LivenessProbe = app(p).LivenessProbe
	ec.Lifecycle = &v1.Lifecycle{}
	ec.VolumeMounts = []v1.VolumeMount{{Name: "data", MountPath: "/d", SubPath: "x"}}
	p.Spec.EphemeralContainers = []v1.EphemeralContainer{ec}
	at := "spec.ephemeralContainers[0]"
	const detail = "cannot be set for an Ephemeral Container"
	expect(t, validate.PodUpdate(p, p.DeepCopy()),
		fault{duplicate, at + ".name", "app"}, fault{notFound, at + ".targetContainerName", "gone"},
		fault{forbidden, at + ".ports", detail}, fault{forbidden, at + ".resources", detail}, fault{forbidden, at + ".livenessProbe", detail},
		fault{forbidden, at + ".lifecycle", detail}, fault{forbidden, at + ".volumeMounts[0].subPath", detail})
}
