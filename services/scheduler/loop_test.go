package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/schemas/placement"
)

// rig is a bus with schedulers on it, and the little of an apiserver and of agents that
// they need: what is written is stored, who is deleted is gone.
type rig struct {
	t     testing.TB
	bus   *bustest.Bus
	store *store.Store
	view  *view.View
	ctx   context.Context
}

func newRig(t testing.TB) *rig {
	ctx, cancel := context.WithCancel(context.Background())
	b := bustest.Start(t)
	conn := b.Conn(t, "system:apiserver")
	if err := store.Provision(ctx, conn); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, bus: b, store: store.New(conn, bus.BucketState), view: view.New(conn, kinds.Table()), ctx: ctx}
	ends := make(chan error, 2)
	go func() { ends <- r.view.Run(ctx) }()
	go func() { ends <- api.Serve(ctx, conn, "apiserver", "0.0.0", 16, r) }()
	t.Cleanup(func() {
		cancel()
		<-ends
		<-ends
	})
	if err := r.view.WaitSynced(ctx); err != nil {
		t.Fatal(err)
	}
	return r
}

// run runs a scheduler until stop, or the test's end.
func (r *rig) run(name string, edit ...func(*Config)) (stop func()) {
	ctx, cancel := context.WithCancel(r.ctx)
	ended := make(chan error, 1)
	conn := r.bus.Conn(r.t, "system:scheduler")
	config := Config{ID: name, Name: name, Table: kinds.Table(), Log: slog.New(slog.DiscardHandler)}
	for _, e := range edit {
		e(&config)
	}
	go func() { ended <- Run(ctx, conn, config) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-ended; err != nil {
				r.t.Errorf("scheduler %s: %v", name, err)
			}
		}
	}
	r.t.Cleanup(stop)
	return stop
}

// Do implements api.Server: statuses are not kept, who is deleted is gone at once.
func (r *rig) Do(ctx context.Context, q *api.Request) (*api.Reply, error) {
	key := bus.DesiredKey(q.Ref())
	e, err := r.store.Get(ctx, key)
	if q.Resource == schemas.Pods && (err != nil || e.Deleted) {
		return nil, apierrors.NewNotFound(v1.Resource("pods"), string(q.Name))
	}
	if q.Subresource == "eviction" && q.Name == "guarded" {
		return nil, apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 0)
	}
	if q.Verb == api.VerbDelete || q.Subresource == "eviction" {
		if _, err := r.store.Apply(ctx, store.Op{Key: key, Revision: e.Revision}); err != nil {
			return nil, err
		}
	}
	if len(q.Body) > 0 && q.Verb == api.VerbCreate {
		return &api.Reply{Body: q.Body}, nil
	}
	return &api.Reply{Body: e.Value}, nil
}

// Watch implements api.Server.
func (r *rig) Watch(context.Context, *api.Request) (api.Source, error) {
	return nil, apierrors.NewBadRequest("nobody watches here")
}

// put stores the desired part of objects, in one batch.
func (r *rig) put(objs ...schemas.Object) {
	r.t.Helper()
	var ops []store.Op
	for _, o := range objs {
		kind := kinds.Table().ByGVK(o.GetObjectKind().GroupVersionKind())
		if o.GetUID() == "" {
			o.SetUID(types.UID(o.GetName()))
		}
		b, err := json.Marshal(o)
		if err != nil {
			r.t.Fatal(err)
		}
		ref := schemas.RefOf(kind.Resource, o)
		op := store.Op{Key: bus.DesiredKey(ref), Value: b, Revision: r.view.Parts(ref).Desired.Revision}
		ops = append(ops, op)
		if n, ok := o.(*v1.Node); ok {
			ops = append(ops, store.Op{Key: bus.ObservedNodeKey(schemas.NodeName(n.Name)), Value: b})
		}
		if len(ops) > 900 {
			r.apply(ops)
			ops = nil
		}
	}
	r.apply(ops)
}

func (r *rig) apply(ops []store.Op) {
	r.t.Helper()
	if len(ops) == 0 {
		return
	}
	rev, err := r.store.Apply(r.ctx, ops...)
	if err == nil {
		err = r.view.WaitFor(r.ctx, rev)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) node(name, cpu string) *v1.Node {
	n := &v1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: map[string]string{v1.LabelHostname: name}}}
	n.Status.Allocatable = v1.ResourceList{v1.ResourceCPU: resource.MustParse(cpu), v1.ResourceMemory: resource.MustParse("16Gi"), v1.ResourcePods: resource.MustParse("110")}
	return n
}

func (r *rig) pod(name, cpu string, edit ...func(*v1.Pod)) *v1.Pod {
	p := desired(name)
	p.Name = name
	p.Spec.Containers[0].Resources.Requests = v1.ResourceList{v1.ResourceCPU: resource.MustParse(cpu)}
	for _, e := range edit {
		e(p)
	}
	return p
}

// await waits until the pod is as ok wants it.
func (r *rig) await(name, what string, ok func(p *v1.Pod) bool) *v1.Pod {
	r.t.Helper()
	ref := schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: schemas.Name(name)}
	ctx, cancel := context.WithTimeout(r.ctx, 30*time.Second)
	defer cancel()
	met := make(chan *v1.Pod, 1)
	defer r.view.Handle(func(c view.Change) {
		if p, isPod := c.Object.(*v1.Pod); isPod && c.Ref == ref && c.Type != view.Deleted && ok(p) {
			select {
			case met <- p:
			default:
			}
		}
	})()
	select {
	case p := <-met:
		return p
	case <-ctx.Done():
		obj, _ := r.view.Get(ref)
		r.t.Fatalf("pod %s: not %s: %+v", name, what, obj)
		return nil
	}
}

func on(node string) func(*v1.Pod) bool {
	return func(p *v1.Pod) bool { return p.Spec.NodeName == node }
}

func condition(reason string) func(*v1.Pod) bool {
	return func(p *v1.Pod) bool {
		return len(p.Status.Conditions) == 1 && p.Status.Conditions[0].Type == v1.PodScheduled && p.Status.Conditions[0].Reason == reason
	}
}

func withPriority(n int32) func(*v1.Pod) { return func(p *v1.Pod) { p.Spec.Priority = &n } }

func TestPreemptionOverTheBus(t *testing.T) {
	r := newRig(t)
	r.put(r.node("n1", "2"), r.pod("low", "2"))
	stop := r.run(v1.DefaultSchedulerName)
	r.await("low", "placed", on("n1"))
	r.put(r.pod("high", "2", withPriority(10)))
	r.await("high", "placed in its place", on("n1"))
	if _, ok := r.view.Get(schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: "low"}); ok {
		t.Error("the victim is there")
	}
	stop()
	// A pod that may not preempt waits, and says so.
	r.run(v1.DefaultSchedulerName)
	r.put(r.pod("meek", "1", withPriority(20), func(p *v1.Pod) { p.Spec.PreemptionPolicy = ptr.To(v1.PreemptNever) }))
	p := r.await("meek", "refused", condition(v1.PodReasonUnschedulable))
	if want := "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."; p.Status.Conditions[0].Message != want {
		t.Errorf("%q, want %q", p.Status.Conditions[0].Message, want)
	}
}

func TestGates(t *testing.T) {
	r := newRig(t)
	r.run(v1.DefaultSchedulerName)
	gated := r.pod("gated", "1", func(p *v1.Pod) { p.Spec.SchedulingGates = []v1.PodSchedulingGate{{Name: "example.com/wait"}} })
	r.put(r.node("n1", "2"), gated)
	r.await("gated", "gated", condition(v1.PodReasonSchedulingGated))
	r.put(r.pod("gated", "1"))
	r.await("gated", "placed", on("n1"))
}

// TestSeveralSchedulers: each places its own pods; the default one keeps all orders.
func TestSeveralSchedulers(t *testing.T) {
	r := newRig(t)
	named := func(p *v1.Pod) { p.Spec.SchedulerName = "packer" }
	r.put(r.node("n1", "2"), r.pod("mine", "1"), r.pod("theirs", "1", named))
	r.run(v1.DefaultSchedulerName)
	r.await("mine", "placed", on("n1"))
	if o, _ := r.view.Get(schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: "theirs"}); o.(*v1.Pod).Spec.NodeName != "" {
		t.Error("a pod of another scheduler is placed")
	}
	r.run("packer")
	r.await("theirs", "placed", on("n1"))
}

// awaitGone waits until a pod is no more.
func (r *rig) awaitGone(name string) {
	r.t.Helper()
	ref := schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: schemas.Name(name)}
	gone := make(chan struct{}, 1)
	defer r.view.Handle(func(c view.Change) {
		if c.Ref == ref && c.Type == view.Deleted {
			gone <- struct{}{}
		}
	})()
	if _, ok := r.view.Get(ref); !ok {
		return
	}
	select {
	case <-gone:
	case <-time.After(30 * time.Second):
		r.t.Fatalf("pod %s is still there", name)
	}
}

// TestRebalance: when a node joins, pods of the crowded one are evicted, but not those
// that a budget guards, nor those that keep data on their node.
func TestRebalance(t *testing.T) {
	r := newRig(t)
	owned := func(p *v1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "rs", UID: "rs", Controller: ptr.To(true)}}
	}
	data := func(p *v1.Pod) {
		p.Spec.Volumes = []v1.Volume{{Name: "v", VolumeSource: v1.VolumeSource{EmptyDir: &v1.EmptyDirVolumeSource{}}}}
	}
	r.put(r.node("n1", "4"), r.pod("guarded", "1", owned), r.pod("data", "1", owned, data), r.pod("free", "1", owned))
	r.run(v1.DefaultSchedulerName, func(c *Config) { c.Rebalance = Rebalance{Every: 20 * time.Millisecond, Most: 3} })
	for _, name := range []string{"guarded", "data", "free"} {
		p := r.await(name, "placed", on("n1"))
		p = p.DeepCopy()
		p.Status.Phase = v1.PodRunning
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		r.apply([]store.Op{{Key: bus.ObservedPodKey("n1", "default", schemas.Name(name)), Value: b}})
	}
	gone := make(chan struct{})
	defer r.view.Handle(func(c view.Change) {
		if c.Type == view.Deleted && c.Ref.Name == "free" {
			close(gone)
		} else if c.Type == view.Deleted {
			t.Errorf("%s is evicted", c.Ref)
		}
	})()
	r.put(r.node("n2", "4"))
	select {
	case <-gone:
	case <-time.After(30 * time.Second):
		t.Error("nothing is moved")
	}
}

// explain asks the scheduler once it answers: it may place pods a moment earlier.
func (r *rig) explain(query string) ([]byte, error) {
	conn := r.bus.Conn(r.t, "system:apiserver")
	ctx, cancel := context.WithTimeout(r.ctx, 30*time.Second)
	defer cancel()
	for {
		answer, err := conn.Request(ctx, bus.ExplainSubject, []byte(query))
		if !errors.Is(err, bus.ErrUnreachable) || pause.For(ctx, 5*time.Millisecond) != nil {
			return answer, err
		}
	}
}

// TestExplainOverTheBus: a placed pod is told of the other nodes that it fits on.
func TestExplainOverTheBus(t *testing.T) {
	r := newRig(t)
	r.put(r.node("n1", "2"), r.node("n2", "4"), r.pod("a", "1"))
	r.run(v1.DefaultSchedulerName)
	r.await("a", "placed", on("n2"))
	answer, err := r.explain(`{"namespace":"default","name":"a"}`)
	var e placement.Explanation
	if err == nil {
		err = json.Unmarshal(answer, &e)
	}
	if err != nil || e.Node != "n2" || e.Fits != 2 || len(e.Nodes) != 2 || e.Nodes[0].Name != "n2" || e.Nodes[0].Score.Total <= e.Nodes[1].Score.Total {
		t.Errorf("%+v, %v", e, err)
	}
	if e.Decided == nil || e.Decided.Node != "n2" || e.Decided.Score != *e.Nodes[0].Score {
		t.Errorf("decided by %+v, now %+v", e.Decided, e.Nodes[0].Score)
	}
	answer, err = r.explain(`{"namespace":"default","name":"nobody"}`)
	if err != nil || !apierrors.IsNotFound(status.Decode(answer)) {
		t.Errorf("%s, %v", answer, err)
	}
}

// BenchmarkLoop places pods through the whole loop: view, decision, durable batches.
func BenchmarkLoop(b *testing.B) {
	for _, size := range []struct{ nodes, pods int }{{100, 1000}, {5000, 5000}} {
		b.Run(fmt.Sprintf("nodes=%d/pods=%d", size.nodes, size.pods), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				r := newRig(b)
				var objs []schemas.Object
				for i := range size.nodes {
					objs = append(objs, r.node(fmt.Sprintf("n%04d", i), "32"))
				}
				for i := range size.pods {
					objs = append(objs, r.pod(fmt.Sprintf("p%05d", i), "10m"))
				}
				r.put(objs...)
				placed, all := 0, make(chan struct{})
				cancel := r.view.Handle(func(c view.Change) {
					if p, ok := c.Object.(*v1.Pod); ok && p.Spec.NodeName != "" {
						if placed++; placed == size.pods {
							close(all)
						}
					}
				})
				b.StartTimer()
				stop := r.run(v1.DefaultSchedulerName)
				<-all
				b.StopTimer()
				cancel()
				stop()
				b.StartTimer()
			}
			b.ReportMetric(float64(size.pods*b.N)/b.Elapsed().Seconds(), "pods/s")
		})
	}
}
