package pod

import (
	"reflect"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// ask is a list of resources: cpu, memory.
func ask(cpu, memory string) v1.ResourceList {
	l := v1.ResourceList{}
	if cpu != "" {
		l[v1.ResourceCPU] = parse(cpu)
	}
	if memory != "" {
		l[v1.ResourceMemory] = parse(memory)
	}
	return l
}

func needs(requests, limits v1.ResourceList) v1.ResourceRequirements {
	return v1.ResourceRequirements{Requests: requests, Limits: limits}
}

func podOf(rs ...v1.ResourceRequirements) *v1.Pod {
	p := &v1.Pod{}
	for _, r := range rs {
		p.Spec.Containers = append(p.Spec.Containers, v1.Container{Resources: r})
	}
	return p
}

var gigabyteHost = Host{Memory: 1 << 30, ScoreFloor: -1000}

func TestLimits(t *testing.T) {
	for _, tc := range []struct {
		name string
		r    v1.ResourceRequirements
		host Host
		want sandbox.Resources
	}{
		{"none", needs(nil, nil), gigabyteHost, sandbox.Resources{CPUShares: 2, Pids: -1, OOMScore: ptr.To(1000)}},
		{"request", needs(ask("250m", "256Mi"), nil), gigabyteHost, sandbox.Resources{CPUShares: 256, Pids: -1, OOMScore: ptr.To(750)}},
		{"limit counts as request", needs(nil, ask("500m", "64Mi")), gigabyteHost,
			sandbox.Resources{CPUShares: 512, CPUQuota: 50000, CPUPeriod: 100000, Memory: 64 << 20, Pids: -1, OOMScore: ptr.To(-997)}},
		{"tiny", needs(nil, ask("1m", "")), gigabyteHost,
			sandbox.Resources{CPUShares: 2, CPUQuota: 1000, CPUPeriod: 100000, Pids: -1, OOMScore: ptr.To(999)}},
		{"the host's bounds", needs(nil, ask("1", "64Mi")), Host{Memory: 1 << 30, PidsLimit: 50, ScoreFloor: 0},
			sandbox.Resources{CPUShares: 1024, CPUQuota: 100000, CPUPeriod: 100000, Memory: 64 << 20, Pids: 50, OOMScore: ptr.To(0)}},
		{"huge pages", needs(nil, v1.ResourceList{"memory": parse("64Mi"), "hugepages-2Mi": parse("4Mi"), "hugepages-1Gi": parse("1Gi"), "hugepages-64Ki": parse("64Ki")}), gigabyteHost,
			sandbox.Resources{CPUShares: 2, Memory: 64 << 20, Pids: -1, OOMScore: ptr.To(938), HugePages: map[string]int64{"2MB": 4 << 20, "1GB": 1 << 30, "64KB": 64 << 10}}},
	} {
		p := podOf(tc.r)
		if got := Limits(p, &p.Spec.Containers[0], tc.host); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v (score %d), want %+v (score %d)", tc.name, got, *got.OOMScore, tc.want, *tc.want.OOMScore)
		}
	}
}

func TestOOMScores(t *testing.T) {
	always := v1.ContainerRestartPolicyAlways
	critical := podOf(needs(nil, nil))
	critical.Spec.Priority = ptr.To(int32(nodeCritical))
	sidecar := podOf(needs(ask("", "512Mi"), nil))
	sidecar.Spec.InitContainers = []v1.Container{{RestartPolicy: &always, Resources: needs(ask("", "1Mi"), nil)}}
	whole := podOf(needs(ask("", "128Mi"), nil), needs(nil, nil))
	whole.Spec.Resources = ptr.To(needs(ask("", "640Mi"), nil))
	greedy := podOf(needs(ask("", "2Gi"), nil))
	for name, c := range map[string]struct {
		pod  *v1.Pod
		c    *v1.Container
		want int
	}{
		"node critical":                    {critical, &critical.Spec.Containers[0], -997},
		"more than the host has":           {greedy, &greedy.Spec.Containers[0], 3},
		"a sidecar lives as long":          {sidecar, &sidecar.Spec.InitContainers[0], 500},
		"its part of the pod's own":        {whole, &whole.Spec.Containers[0], 1000 - 375},
		"its part, without one of its own": {whole, &whole.Spec.Containers[1], 750},
	} {
		if got := *Limits(c.pod, c.c, gigabyteHost).OOMScore; got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestPodLimits(t *testing.T) {
	whole := podOf(needs(nil, nil), needs(nil, nil))
	whole.Spec.Resources = ptr.To(needs(ask("1", ""), ask("2", "1Gi")))
	over := podOf(needs(ask("500m", ""), ask("1", "64Mi")))
	over.Spec.Overhead = ask("250m", "16Mi")
	for name, c := range map[string]struct {
		pod  *v1.Pod
		want sandbox.Resources
	}{
		"best effort":           {podOf(needs(nil, nil)), sandbox.Resources{CPUShares: 2}},
		"the sum":               {podOf(needs(ask("1", ""), nil), needs(ask("500m", ""), nil)), sandbox.Resources{CPUShares: 1536}},
		"all have limits":       {podOf(needs(nil, ask("1", "64Mi")), needs(nil, ask("1", "64Mi"))), sandbox.Resources{CPUShares: 2048, CPUQuota: 200000, CPUPeriod: 100000, Memory: 128 << 20}},
		"one has no limit":      {podOf(needs(nil, ask("1", "64Mi")), needs(ask("1", ""), ask("", "64Mi"))), sandbox.Resources{CPUShares: 2048, Memory: 128 << 20}},
		"limits of the pod":     {whole, sandbox.Resources{CPUShares: 1024, CPUQuota: 200000, CPUPeriod: 100000, Memory: 1 << 30}},
		"overhead comes on top": {over, sandbox.Resources{CPUShares: 768, CPUQuota: 125000, CPUPeriod: 100000, Memory: 80 << 20}},
	} {
		if got := PodLimits(c.pod); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
