//go:build linux

package agent

import (
	"context"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/cgroup"
	"github.com/skerry/skerry/services/agent/eviction"
	"github.com/skerry/skerry/services/agent/fit"
	"github.com/skerry/skerry/services/agent/image"
	"github.com/skerry/skerry/services/agent/pod"
)

// tracker is the runtime's knowledge of containers' cgroups; one that knows no
// containers if they are only simulated.
func tracker(r Runtime) *cgroup.Tracker {
	if d, ok := r.(interface{ Cgroups() *cgroup.Tracker }); ok {
		return d.Cgroups()
	}
	return cgroup.NewTracker(cgroup.KernelLog)
}

// limits tells what limits of containers depend on beside their pods.
func (a *agent) limits() func() pod.Host {
	h := pod.Host{Memory: a.cgroups.Host().Memory, PidsLimit: a.PidsLimit, ScoreFloor: cgroup.OOMScoreFloor()}
	return func() pod.Host { return h }
}

// layers is a runtime that tells where containers' writable layers are.
type layers interface {
	Layer(ctx context.Context, id string) (string, error)
}

func (a *agent) newEviction() *eviction.Manager {
	layer := func(context.Context, string) (string, error) { return "", nil }
	if l, ok := a.driver.(layers); ok {
		layer = l.Layer
	}
	return eviction.New(a.Eviction, eviction.Host{
		Figures: a.cgroups.Host, Usage: a.cgroups.Usage,
		DataDir: a.DataDir, LogDir: a.logDir(), Images: a.node.GraphRoot, Layer: layer,
		EmptyDirs: a.emptyDirs,
	}, eviction.Node{
		Pods:  a.orders.all,
		Evict: func(p *v1.Pod, ev pod.Eviction) { a.pods.Evict(pod.KeyOf(p), ev) },
		Reclaim: func(ctx context.Context) error {
			a.pods.Shed(ctx) // first: images are in use while containers of them are there
			return a.collectImages(ctx, image.Thresholds{})
		},
		Changed: a.node.Nudge,
		Event:   func(eventType, reason, message string) { a.node.Event(nil, eventType, reason, message) },
		Log:     a.Log, Now: time.Now,
	})
}

// watchPressure ends pods for the node's sake until ctx ends; never simulated ones.
func (a *agent) watchPressure(ctx context.Context) error {
	if _, real := a.driver.(layers); !real {
		return nil
	}
	return a.eviction.Run(ctx)
}

// admit tells whether the node takes a pod that is new here.
func (a *agent) admit(ctx context.Context, p *v1.Pod, others fit.Others) pod.Verdict {
	if ev := a.eviction.Admit(p); ev != nil {
		return pod.Verdict{Refuse: ev}
	}
	n := a.node.View()
	if n == nil {
		return pod.Verdict{Unsure: true}
	}
	why := fit.Check(p, n, others)
	if slices.ContainsFunc(why, func(r fit.Refusal) bool { return !r.Fleeting() }) {
		// The scheduler may know of labels and taints that this agent has not heard of yet.
		if n = a.node.Refresh(ctx); n == nil {
			return pod.Verdict{Unsure: true}
		}
		why = fit.Check(p, n, others)
	}
	return verdict(p, why, others)
}

// verdict is what follows from the reasons against a pod. Pure.
func verdict(p *v1.Pod, why []fit.Refusal, others fit.Others) pod.Verdict {
	lasting := slices.DeleteFunc(slices.Clone(why), fit.Refusal.Lacks)
	refuse := func(reason, message string, fleeting bool) pod.Verdict {
		return pod.Verdict{Refuse: &pod.Eviction{UID: p.UID, Reason: reason, Message: pod.Rejected + message}, Fleeting: fleeting}
	}
	if fit.Critical(p) && len(why) > 0 && len(lasting) == 0 {
		victims, enough := fit.Victims(p, why, others.Pods())
		if !enough {
			return refuse("UnexpectedAdmissionError", "Unexpected error while attempting to recover from admission failure: "+
				"preemption: error finding a set of pods to preempt: no set of running pods found to reclaim resources: "+why[0].Message, true)
		}
		return pod.Verdict{Victims: victims}
	}
	if fit.Critical(p) {
		why = lasting
	}
	if len(why) == 0 {
		return pod.Verdict{}
	}
	return refuse(why[0].Reason, why[0].Message, !slices.ContainsFunc(why, func(r fit.Refusal) bool { return !r.Fleeting() }))
}

// emptyDirs measures a pod's emptyDirs.
func (a *agent) emptyDirs(p *v1.Pod) ([]eviction.EmptyDir, error) {
	used, err := a.volumes.Usage(p)
	var out []eviction.EmptyDir
	for _, u := range used {
		out = append(out, eviction.EmptyDir{Name: u.Volume, Used: eviction.Space{Bytes: u.Bytes, Inodes: u.Inodes}, Memory: u.Memory})
	}
	return out, err
}
