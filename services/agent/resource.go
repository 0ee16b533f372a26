package agent

import (
	"context"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/cgroup"
	"github.com/skerry/skerry/services/agent/eviction"
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
		<-ctx.Done()
		return ctx.Err()
	}
	return a.eviction.Run(ctx)
}

// admit says why a pod that is new here must fail at once.
func (a *agent) admit(p *v1.Pod) *pod.Eviction { return a.eviction.Admit(p) }

// emptyDirs measures a pod's emptyDirs.
func (a *agent) emptyDirs(p *v1.Pod) ([]eviction.EmptyDir, error) {
	used, err := a.volumes.Usage(p)
	var out []eviction.EmptyDir
	for _, u := range used {
		out = append(out, eviction.EmptyDir{Name: u.Volume, Used: eviction.Space{Bytes: u.Bytes, Inodes: u.Inodes}, Memory: u.Memory})
	}
	return out, err
}
