package agent

import (
	"github.com/skerry/skerry/services/agent/cgroup"
	"github.com/skerry/skerry/services/agent/pod"
)

// limits tells what limits of containers depend on beside their pods.
func (a *agent) limits() func() pod.Host {
	h := pod.Host{Memory: a.driver.Cgroups().Host().Memory, PidsLimit: a.PidsLimit, ScoreFloor: cgroup.OOMScoreFloor()}
	return func() pod.Host { return h }
}
