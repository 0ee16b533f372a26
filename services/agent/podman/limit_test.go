package podman

import (
	"encoding/json"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// TestSpecCarriesLimits compares what Podman is sent, from which the OCI runtime makes
// settings of cgroup v1 and v2 alike.
func TestSpecCarriesLimits(t *testing.T) {
	r := sandbox.Resources{CPUShares: 512, CPUQuota: 50000, CPUPeriod: 100000, Memory: 64 << 20, Pids: 100,
		HugePages: map[string]int64{"2MB": 4 << 20, "1GB": 1 << 30}, OOMScore: ptr.To(938)}
	const want = `{"memory":{"limit":67108864},"cpu":{"shares":512,"quota":50000,"period":100000},"pids":{"limit":100},` +
		`"hugepageLimits":[{"pageSize":"1GB","limit":1073741824},{"pageSize":"2MB","limit":4194304}]}`
	c := containerSpec(sandbox.ContainerSpec{Resources: r})
	if got, _ := json.Marshal(c.ResourceLimits); string(got) != want {
		t.Errorf("container: %s\nwant %s", got, want)
	}
	if c.OOMScoreAdj == nil || *c.OOMScoreAdj != 938 {
		t.Errorf("oom_score_adj: %v", c.OOMScoreAdj)
	}
	p := podSpec(sandbox.Spec{Resources: r})
	if got, _ := json.Marshal(p.ResourceLimits); string(got) != want {
		t.Errorf("pod: %s", got)
	}
	if podSpec(sandbox.Spec{}).ResourceLimits != nil {
		t.Error("a pod without limits has some")
	}
}
