//go:build linux

package pod_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/share"
	"github.com/skerry/skerry/services/agent/action"
	"github.com/skerry/skerry/services/agent/env"
	"github.com/skerry/skerry/services/agent/fit"
	"github.com/skerry/skerry/services/agent/message"
	"github.com/skerry/skerry/services/agent/pod"
	"github.com/skerry/skerry/services/agent/podman"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/volume"
)

// rig is an agent's pods on a real Podman, without a bus.
type rig struct {
	t      testing.TB
	host   *podmantest.Host
	driver *podman.Driver
	r      *pod.Reconciler
	stop   func()
	dir    string
	has    v1.ResourceList // what the node can give
	// admit tells whether the node takes a pod; nil: it takes all.
	admit func(p *v1.Pod, others fit.Others) pod.Verdict

	mu       sync.Mutex
	orders   map[sandbox.Key]*share.Lean
	unsynced bool
	slow     bool // removed pods keep their orders
	refusals int  // how many removals fail
	posts    int
	statuses map[sandbox.Key]*v1.Pod
	removed  []types.UID
	events   []string
	news     chan struct{} // closed and replaced at each change
}

func newRig(t testing.TB) *rig {
	h := podmantest.Start(t)
	g := &rig{t: t, host: h, dir: filepath.Join(h.Dir, "agent"), orders: map[sandbox.Key]*share.Lean{}, statuses: map[sandbox.Key]*v1.Pod{}, news: make(chan struct{})}
	g.driver = podman.New(h.Socket, slog.New(slog.DiscardHandler))
	if err := g.driver.CreateNetwork(t.Context(), "skerry", "skerry0", netip.MustParsePrefix("10.244.9.0/24")); err != nil {
		t.Fatal(err)
	}
	g.start()
	t.Cleanup(func() { g.stop() })
	return g
}

// start starts an agent's reconciler, as if the process had just begun.
func (g *rig) start() {
	vols, err := volume.New(volume.Config{
		Dir: g.dir, Source: struct {
			env.Source
			volume.Bundles // there are none
		}{Source: g}, Recorder: g, Node: func() env.Node { return env.Node{Name: "n1"} },
		Retry: func(k sandbox.Key) { g.r.Retry(k) }, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		g.t.Fatal(err)
	}
	var admit func(context.Context, *v1.Pod, fit.Others) pod.Verdict
	if g.admit != nil {
		admit = func(_ context.Context, p *v1.Pod, others fit.Others) pod.Verdict { return g.admit(p, others) }
	}
	g.r = pod.New(pod.Config{
		Admit:   admit,
		Runtime: g.driver, Orders: g, Reporter: g, Keeper: g, Recorder: g, Images: g.driver, Source: g, Volumes: vols, Actions: action.New(g.driver), Messages: message.New(filepath.Join(g.dir, "messages")), Node: "n1",
		HostIPs: func() []string { return []string{"192.0.2.1"} }, Allocatable: func() v1.ResourceList { return g.has }, Cgroups: g.driver.Cgroups(),
		Network: func() (string, bool) { return "skerry", true }, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	for _, p := range g.statuses {
		g.r.Restore(p, true)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := g.r.Resync(ctx, g.keys()); err != nil {
		g.t.Fatal(err)
	}
	var wg sync.WaitGroup
	open := make(chan struct{})
	wg.Go(func() { _ = g.r.Run(ctx) })
	wg.Go(func() {
		_ = g.driver.Changes(ctx, func() { close(open) }, func(c sandbox.Change) { g.r.Add(c.Key) })
	})
	<-open
	g.stop = func() { cancel(); wg.Wait(); g.stop = func() {} }
}

func (g *rig) keys() []sandbox.Key {
	g.mu.Lock()
	defer g.mu.Unlock()
	var ks []sandbox.Key
	for k := range g.orders {
		ks = append(ks, k)
	}
	return ks
}

func (g *rig) order(p *v1.Pod) {
	g.mu.Lock()
	g.orders[pod.KeyOf(p)] = share.Slim(p)
	g.mu.Unlock()
	g.r.Add(pod.KeyOf(p))
}

func (g *rig) cancel(k sandbox.Key) {
	g.mu.Lock()
	delete(g.orders, k)
	g.mu.Unlock()
	g.r.Add(k)
}

func (g *rig) changed(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
	close(g.news)
	g.news = make(chan struct{})
}

// await waits until ok of the pod's reported status.
func (g *rig) await(k sandbox.Key, what string, ok func(st *v1.PodStatus) bool) *v1.PodStatus {
	g.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		g.mu.Lock()
		p, news := g.statuses[k], g.news
		g.mu.Unlock()
		var st *v1.PodStatus
		if p != nil {
			st = &p.Status
		}
		if ok(st) {
			return st
		}
		select {
		case <-news:
		case <-limit:
			g.t.Fatalf("%s: not in time: %+v\nevents: %q", what, st, g.events)
		}
	}
}

func (g *rig) running(k sandbox.Key, restarts int32) *v1.PodStatus {
	g.t.Helper()
	return g.await(k, "running", func(st *v1.PodStatus) bool {
		return st != nil && len(st.ContainerStatuses) > 0 && st.ContainerStatuses[0].State.Running != nil && st.ContainerStatuses[0].RestartCount >= restarts
	})
}

// The rig is the bus, the disk and the events of its reconciler.

func (g *rig) Order(k sandbox.Key) (*share.Lean, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.orders[k], !g.unsynced
}
func (g *rig) Post(p *v1.Pod, _ bool) error {
	g.changed(func() { g.statuses[pod.KeyOf(p)] = p; g.posts++ })
	return nil
}
func (g *rig) Posted(sandbox.Key, func()) bool { return true }
func (g *rig) Drop(k sandbox.Key)              { g.changed(func() { delete(g.statuses, k) }) }
func (g *rig) Remove(_ context.Context, p *v1.Pod) (err error) {
	g.changed(func() {
		if g.removed = append(g.removed, p.UID); g.refusals > 0 {
			g.refusals--
			err = errors.New("the apiserver is away")
		}
	})
	if err != nil {
		return err
	}
	if !g.slow {
		g.cancel(pod.KeyOf(p))
	}
	return nil
}
func (g *rig) PutOrder(*v1.Pod) error  { return nil }
func (g *rig) PutStatus(*v1.Pod) error { return nil }
func (g *rig) EventAt(obj schemas.Object, fieldPath, eventType, reason, message string) {
	g.changed(func() {
		g.events = append(g.events, strings.TrimSpace(eventType+" "+reason+": "+message+" "+fieldPath))
	})
}
func (g *rig) DropOrder(sandbox.Key) error { return nil }
func (g *rig) Event(obj schemas.Object, eventType, reason, message string) {
	g.EventAt(obj, "", eventType, reason, message)
}
func (g *rig) ConfigMap(_ context.Context, _ schemas.Namespace, name schemas.Name) (*v1.ConfigMap, error) {
	switch name {
	case "missing":
		return nil, nil
	case "unknown":
		return nil, errors.New("nobody answers")
	}
	return &v1.ConfigMap{Data: map[string]string{"greeting": "moin", "not a name=": "x"}}, nil
}
func (g *rig) Secret(context.Context, schemas.Namespace, schemas.Name) (*v1.Secret, error) {
	return &v1.Secret{Data: map[string][]byte{"password": []byte("s3cret")}}, nil
}

func (g *rig) said(event string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(g.events, func(e string) bool { return strings.Contains(e, event) })
}

var serial int

func web(name, script string, change ...func(*v1.Pod)) *v1.Pod {
	serial++
	grace := int64(1)
	p := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: types.UID(fmt.Sprintf("%08d-uid", serial)), Generation: 1},
		Spec: v1.PodSpec{
			RestartPolicy: v1.RestartPolicyAlways, TerminationGracePeriodSeconds: &grace,
			Containers: []v1.Container{{Name: "c", Image: podmantest.Image, ImagePullPolicy: v1.PullIfNotPresent, Command: []string{"/bin/sh", "-c", script}}},
		},
	}
	for _, f := range change {
		f(p)
	}
	return p
}

const forever = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
