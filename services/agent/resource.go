package agent

import (
	"github.com/skerry/skerry/services/agent/cgroup"
	"github.com/skerry/skerry/services/agent/pod"
)

// tracker is the runtime's knowledge of containers' cgroups; one that knows no
// containers if they are only simulated.
func tracker(r Runtime) *cgroup.Tracker {
	if d, ok := r.(interface{ Cgroups() *cgroup.Tracker }); ok {
		return d.Cgroups()
	}
	return cgroup.NewTracker()
}

// limits tells what limits of containers depend on beside their pods.
func (a *agent) limits() func() pod.Host {
	h := pod.Host{Memory: a.cgroups.Host().Memory, PidsLimit: a.PidsLimit, ScoreFloor: cgroup.OOMScoreFloor()}
	return func() pod.Host { return h }
}
