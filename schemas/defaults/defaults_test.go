package defaults_test

import (
	"encoding/json"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"sigs.k8s.io/yaml"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/defaults"
)

// cases are manifests before and after their defaults.
var cases = []struct {
	name   string
	empty  func() schemas.Object
	fill   func(schemas.Object)
	before string
	after  string
}{
	{"namespace", func() schemas.Object { return &v1.Namespace{} }, defaults.Namespace,
		`metadata: {name: team, labels: {a: b}}`,
		`{metadata: {name: team, labels: {a: b, kubernetes.io/metadata.name: team}}, spec: {finalizers: [kubernetes]}, status: {phase: Active}}`},
	{"nameless namespace", func() schemas.Object { return &v1.Namespace{} }, defaults.Namespace,
		`metadata: {generateName: team-}`,
		`{metadata: {generateName: team-}, spec: {finalizers: [kubernetes]}, status: {phase: Active}}`},
	{"namespace that may go", func() schemas.Object { return &v1.Namespace{} }, defaults.Namespace,
		`{metadata: {name: team, deletionTimestamp: "2026-01-01T00:00:00Z"}, status: {phase: Terminating}}`,
		`{metadata: {name: team, deletionTimestamp: "2026-01-01T00:00:00Z", labels: {kubernetes.io/metadata.name: team}}, spec: {}, status: {phase: Terminating}}`},
	{"node", func() schemas.Object { return &v1.Node{} }, defaults.Node,
		`{spec: {podCIDR: 10.0.0.0/24}, status: {capacity: {cpu: 100u}}}`,
		`{spec: {podCIDR: 10.0.0.0/24, podCIDRs: [10.0.0.0/24]}, status: {capacity: {cpu: 1m}, allocatable: {cpu: 1m}}}`},
	{"replicaset", func() schemas.Object { return &appsv1.ReplicaSet{} }, defaults.ReplicaSet,
		`spec: {}`,
		`spec: {replicas: 1, template: {spec: {restartPolicy: Always, dnsPolicy: ClusterFirst, schedulerName: default-scheduler, terminationGracePeriodSeconds: 30, securityContext: {}}}}`},
	{"deployment", func() schemas.Object { return &appsv1.Deployment{} }, defaults.Deployment,
		`spec: {replicas: 0, strategy: {rollingUpdate: {maxSurge: 1}}, template: {metadata: {labels: {a: b}}, spec: {hostNetwork: true, containers: [{image: a, ports: [{containerPort: 1}], resources: {limits: {cpu: 1}}}]}}}`,
		`spec:
  replicas: 0
  revisionHistoryLimit: 10
  progressDeadlineSeconds: 600
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 25%}}
  template:
    metadata: {labels: {a: b}}
    spec:
      {restartPolicy: Always, dnsPolicy: ClusterFirst, schedulerName: default-scheduler, terminationGracePeriodSeconds: 30, securityContext: {}, hostNetwork: true,
      containers: [{image: a, imagePullPolicy: Always, terminationMessagePath: /dev/termination-log, terminationMessagePolicy: File,
      ports: [{containerPort: 1, protocol: TCP}], resources: {limits: {cpu: 1}}}]}`},
	{"recreate", func() schemas.Object { return &appsv1.Deployment{} }, defaults.Deployment,
		`spec: {strategy: {type: Recreate}}`,
		`spec: {replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600, strategy: {type: Recreate},
      template: {spec: {restartPolicy: Always, dnsPolicy: ClusterFirst, schedulerName: default-scheduler, terminationGracePeriodSeconds: 30, securityContext: {}}}}`},
	{"configmap", func() schemas.Object { return &v1.ConfigMap{} }, defaults.ConfigMap, `metadata: {name: a}`, `{metadata: {name: a}}`},
	{"secret", func() schemas.Object { return &v1.Secret{} }, defaults.Secret,
		`{data: {a: b2xk, b: a2VwdA==}, stringData: {a: new}}`, `{data: {a: bmV3, b: a2VwdA==}, type: Opaque}`},
	{"service", func() schemas.Object { return &v1.Service{} }, defaults.Service,
		`spec: {clusterIP: None, ports: [{port: 80}, {port: 53, protocol: UDP, targetPort: dns}]}`,
		`spec: {type: ClusterIP, clusterIP: None, clusterIPs: [None], sessionAffinity: None, internalTrafficPolicy: Cluster,
      ports: [{port: 80, protocol: TCP, targetPort: 80}, {port: 53, protocol: UDP, targetPort: dns}]}`},
	{"load balancer", func() schemas.Object { return &v1.Service{} }, defaults.Service,
		`{spec: {type: LoadBalancer, sessionAffinity: ClientIP, ports: [{port: 80}]}, status: {loadBalancer: {ingress: [{ip: 192.0.2.1}, {hostname: a.example}]}}}`,
		`{spec: {type: LoadBalancer, sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 10800}}, internalTrafficPolicy: Cluster, externalTrafficPolicy: Cluster,
      allocateLoadBalancerNodePorts: true, ports: [{port: 80, protocol: TCP, targetPort: 80}]}, status: {loadBalancer: {ingress: [{ip: 192.0.2.1, ipMode: VIP}, {hostname: a.example}]}}}`},
	{"external name", func() schemas.Object { return &v1.Service{} }, defaults.Service,
		`spec: {type: ExternalName, externalName: a.example}`, `spec: {type: ExternalName, externalName: a.example, sessionAffinity: None}`},
	{"endpointslice", func() schemas.Object { return &discoveryv1.EndpointSlice{} }, defaults.EndpointSlice,
		`{addressType: IPv4, ports: [{port: 80}]}`, `{addressType: IPv4, endpoints: null, ports: [{name: "", protocol: TCP, port: 80}]}`},
	{"endpoints", func() schemas.Object { return &v1.Endpoints{} }, defaults.Endpoints,
		`subsets: [{ports: [{port: 80}]}]`, `subsets: [{ports: [{port: 80, protocol: TCP}]}]`},
	{"priorityclass", func() schemas.Object { return &schedulingv1.PriorityClass{} }, defaults.PriorityClass,
		`value: 5`, `{value: 5, preemptionPolicy: PreemptLowerPriority}`},
	{"pod", func() schemas.Object { return &v1.Pod{} }, defaults.Pod, podBefore, podAfter},
	{"pod on the host's network", func() schemas.Object { return &v1.Pod{} }, defaults.Pod,
		`spec: {serviceAccount: sa, restartPolicy: Never, dnsPolicy: Default, schedulerName: s, terminationGracePeriodSeconds: 0, enableServiceLinks: false,
      securityContext: {runAsUser: 1}, hostNetwork: true, resources: {limits: {cpu: 1, memory: 1Gi}},
      initContainers: [{image: "a:1", resources: {requests: {cpu: 700m}}}], containers: [{image: "a:1", ports: [{containerPort: 80}, {containerPort: 81, hostPort: 82}], resources: {requests: {cpu: 500m}}}]}`,
		`spec: {serviceAccount: sa, serviceAccountName: sa, restartPolicy: Never, dnsPolicy: Default, schedulerName: s, terminationGracePeriodSeconds: 0, enableServiceLinks: false,
      securityContext: {runAsUser: 1}, hostNetwork: true, resources: {limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 700m, memory: 1Gi}},
      initContainers: [{image: "a:1", imagePullPolicy: IfNotPresent, terminationMessagePath: /dev/termination-log, terminationMessagePolicy: File, resources: {requests: {cpu: 700m}}}],
      containers: [{image: "a:1", imagePullPolicy: IfNotPresent, terminationMessagePath: /dev/termination-log, terminationMessagePolicy: File,
      ports: [{containerPort: 80, hostPort: 80, protocol: TCP}, {containerPort: 81, hostPort: 82, protocol: TCP}], resources: {requests: {cpu: 500m}}}]}`},
}

const podBefore = `
metadata: {name: web}
spec:
  volumes:
  - name: empty
  - {name: host, hostPath: {path: /a}}
  - {name: secret, secret: {secretName: s}}
  - {name: conf, configMap: {name: c, defaultMode: 256}}
  - {name: down, downwardAPI: {items: [{path: p, fieldRef: {fieldPath: metadata.name}}]}}
  - {name: many, projected: {sources: [{serviceAccountToken: {path: t}}]}}
  - {name: image, image: {reference: a}}
  - {name: own, ephemeral: {volumeClaimTemplate: {spec: {resources: {}}}}}
  containers:
  - name: app
    image: reg.example.com:5000/app
    ports: [{containerPort: 80}]
    env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
    resources: {limits: {cpu: 1, memory: 100u}, requests: {cpu: 500m}}
    livenessProbe: {httpGet: {port: 80}, periodSeconds: 5}
    readinessProbe: {grpc: {port: 80}}
    lifecycle: {preStop: {httpGet: {port: 80}}}
`

const podAfter = `
metadata: {name: web}
spec:
  restartPolicy: Always
  dnsPolicy: ClusterFirst
  schedulerName: default-scheduler
  terminationGracePeriodSeconds: 30
  securityContext: {}
  enableServiceLinks: true
  volumes:
  - {name: empty, emptyDir: {}}
  - {name: host, hostPath: {path: /a, type: ""}}
  - {name: secret, secret: {secretName: s, defaultMode: 420}}
  - {name: conf, configMap: {name: c, defaultMode: 256}}
  - {name: down, downwardAPI: {defaultMode: 420, items: [{path: p, fieldRef: {apiVersion: v1, fieldPath: metadata.name}}]}}
  - {name: many, projected: {defaultMode: 420, sources: [{serviceAccountToken: {path: t, expirationSeconds: 3600}}]}}
  - {name: image, image: {reference: a, pullPolicy: Always}}
  - {name: own, ephemeral: {volumeClaimTemplate: {spec: {resources: {}, volumeMode: Filesystem}}}}
  containers:
  - name: app
    image: reg.example.com:5000/app
    imagePullPolicy: Always
    terminationMessagePath: /dev/termination-log
    terminationMessagePolicy: File
    ports: [{containerPort: 80, protocol: TCP}]
    env: [{name: A, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.name}}}]
    resources: {limits: {cpu: 1, memory: 1m}, requests: {cpu: 500m, memory: 1m}}
    livenessProbe: {httpGet: {port: 80, path: /, scheme: HTTP}, periodSeconds: 5, timeoutSeconds: 1, successThreshold: 1, failureThreshold: 3}
    readinessProbe: {grpc: {port: 80, service: ""}, periodSeconds: 10, timeoutSeconds: 1, successThreshold: 1, failureThreshold: 3}
    lifecycle: {preStop: {httpGet: {port: 80, path: /, scheme: HTTP}}}
`

func TestDefaults(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, want := c.empty(), c.empty()
			decode(t, c.before, got)
			decode(t, c.after, want)
			c.fill(got)
			if a, b := encode(t, got), encode(t, want); a != b {
				t.Errorf("have\n%s\nwant\n%s", a, b)
			}
			c.fill(got)
			if a, b := encode(t, got), encode(t, want); a != b {
				t.Errorf("the second time:\n%s", a)
			}
		})
	}
}

func TestConfigMapData(t *testing.T) {
	cm := &v1.ConfigMap{}
	defaults.ConfigMap(cm)
	if cm.Data == nil {
		t.Error("data is still null")
	}
}

func TestPullPolicy(t *testing.T) {
	for image, want := range map[string]v1.PullPolicy{
		"app": v1.PullAlways, "app:latest": v1.PullAlways, "app:1": v1.PullIfNotPresent, "host:5000/app": v1.PullAlways,
		"host:5000/app:1": v1.PullIfNotPresent, "app@sha256:0": v1.PullIfNotPresent, "app:latest@sha256:0": v1.PullAlways, "": v1.PullIfNotPresent,
	} {
		p := &v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{{Image: image}}}}
		defaults.Pod(p)
		if got := p.Spec.Containers[0].ImagePullPolicy; got != want {
			t.Errorf("%q: %s, want %s", image, got, want)
		}
	}
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}

func encode(t *testing.T, obj any) string {
	t.Helper()
	out, err := json.MarshalIndent(obj, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
