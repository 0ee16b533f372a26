package controller_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/lease"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/join"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/services/controller"
)

// registry is as little of an apiserver as the controllers need: it stores.
type registry struct {
	state *store.Store
	table *schemas.Table

	mu   sync.Mutex
	uids int
}

func (g *registry) Watch(context.Context, *api.Request) (api.Source, error) {
	return nil, errors.New("not served")
}

func (g *registry) Do(ctx context.Context, r *api.Request) (*api.Reply, error) {
	if r.Verb == api.VerbCreateMany || r.Verb == api.VerbDeleteMany {
		briefs, err := api.Each(ctx, r, g.Do)
		if err != nil {
			return nil, err
		}
		body, err := api.EncodeBriefs(briefs)
		return &api.Reply{Body: body}, err
	}
	if r.Resource == schemas.Events {
		return &api.Reply{Body: []byte("{}")}, nil
	}
	kind, gr := g.table.ByResource(r.Resource), schema.GroupResource{Group: r.Resource.Group, Resource: r.Resource.Plural}
	obj := kind.New()
	if len(r.Body) > 0 {
		if err := json.Unmarshal(r.Body, obj); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
	}
	ref := schemas.Ref{Resource: r.Resource, Namespace: r.Namespace, Name: schemas.Name(obj.GetName())}
	if r.Name != "" {
		ref.Name = r.Name
	}
	old, err := g.state.Get(ctx, bus.DesiredKey(ref))
	there := err == nil && !old.Deleted
	switch {
	case r.Verb == api.VerbCreate && there:
		return nil, apierrors.NewAlreadyExists(gr, string(ref.Name))
	case r.Verb != api.VerbCreate && !there:
		return nil, apierrors.NewNotFound(gr, string(ref.Name))
	case r.Verb == api.VerbDelete:
		if _, err := g.state.Delete(ctx, old.Key, old.Revision); err != nil {
			return nil, apierrors.NewConflict(gr, string(ref.Name), err)
		}
		return &api.Reply{Body: []byte("{}")}, nil
	case r.Verb == api.VerbCreate:
		g.complete(kind, obj)
	default:
		obj.SetGeneration(obj.GetGeneration() + 1)
	}
	value, err := json.Marshal(join.Desired(kind, obj))
	if err != nil {
		return nil, err
	}
	op := store.Op{Key: bus.DesiredKey(ref), Value: value}
	if there {
		op.Revision = old.Revision
	}
	rev, err := g.state.Apply(ctx, op)
	if err != nil {
		return nil, apierrors.NewConflict(gr, string(ref.Name), err)
	}
	obj.SetResourceVersion(fmt.Sprint(rev))
	if r.Brief {
		value, err = json.Marshal(api.Brief{Name: ref.Name, UID: obj.GetUID(), ResourceVersion: obj.GetResourceVersion()})
		return &api.Reply{Body: value}, err
	}
	value, err = json.Marshal(obj)
	return &api.Reply{Body: value}, err
}

func (g *registry) complete(kind *schemas.Kind, obj schemas.Object) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.uids++
	if kind.Default != nil {
		kind.Default(obj)
	}
	obj.SetUID(types.UID(fmt.Sprintf("uid-%d", g.uids)))
	obj.SetGeneration(1)
	obj.SetCreationTimestamp(metav1.Now())
}

// eventually waits for changes of v until ok is true.
func eventually(t *testing.T, v *view.View, what string, ok func() bool) {
	t.Helper()
	changed := make(chan struct{}, 1)
	defer v.Handle(func(view.Change) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})()
	timeout := time.After(20 * time.Second)
	look := time.NewTicker(50 * time.Millisecond) // no handler is told of orphans
	defer look.Stop()
	for !ok() {
		select {
		case <-changed:
		case <-look.C:
		case <-timeout:
			t.Fatalf("never: %s", what)
		}
	}
}

// onBus is a real server with the registry on it, and a client's view.
type onBus struct {
	*bustest.Bus
	t        *testing.T
	ctx      context.Context
	registry *registry
	client   *api.Client
	view     *view.View
	services sync.WaitGroup
}

func newOnBus(t *testing.T) *onBus {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	o := &onBus{Bus: bustest.Start(t).Provisioned(t), t: t, ctx: ctx}
	t.Cleanup(o.services.Wait)
	t.Cleanup(cancel)
	table, server, admin := kinds.Table(), o.Conn(t, "system:apiserver"), o.Conn(t, "admin")
	o.registry = &registry{state: store.New(server, bus.BucketState), table: table}
	o.services.Go(func() { _ = api.Serve(ctx, server, "apiserver", "0.0.1", 8, o.registry) })
	o.client, o.view = api.NewClient(admin, table), view.New(admin, table)
	o.services.Go(func() { _ = o.view.Run(ctx) })
	if err := o.view.WaitSynced(ctx); err != nil {
		t.Fatal(err)
	}
	return o
}

// replica runs a controller until ctx ends.
func (o *onBus) replica(ctx context.Context, id string) <-chan error {
	conn, done := o.Conn(o.t, "system:controller"), make(chan error, 1)
	o.services.Go(func() { done <- controller.Run(ctx, conn, controller.Config{ID: id, Table: o.registry.table}) })
	return done
}

func (o *onBus) create(r schemas.Resource, obj schemas.Object) {
	o.t.Helper()
	if _, err := o.client.Create(o.ctx, r, obj); err != nil {
		o.t.Fatal(err)
	}
}

// delete asks until it is told: a request that was on its way when the connection went gets no answer.
func (o *onBus) delete(r schemas.Ref) {
	o.t.Helper()
	err := o.client.Delete(o.ctx, r, metav1.DeleteOptions{})
	for apierrors.IsTimeout(err) {
		err = o.client.Delete(o.ctx, r, metav1.DeleteOptions{})
	}
	if err != nil && !apierrors.IsNotFound(err) {
		o.t.Fatal(err)
	}
}

func (o *onBus) pods() int { return len(o.view.List(schemas.Pods, "default")) }

// TestOverTheBus runs two replicas on a real server, loses the leading one in the
// middle of the work, and the connection too.
func TestOverTheBus(t *testing.T) {
	o := newOnBus(t)
	v := o.view
	var made atomic.Int32
	defer v.Handle(func(ch view.Change) {
		if ch.Type == view.Added && ch.Ref.Resource == schemas.Pods {
			made.Add(1)
		}
	})()
	// The first replica leads before the second stands for election.
	first, stopFirst := context.WithCancel(o.ctx)
	firstDone := o.replica(first, "one")
	node := &corev1.Node{}
	node.Name = "n1"
	o.create(schemas.Nodes, node)
	eventually(t, v, "n1 has a pod CIDR", func() bool {
		n, ok := v.Get(schemas.RefOf(schemas.Nodes, node))
		return ok && n.(*corev1.Node).Spec.PodCIDR == "10.244.0.0/24"
	})
	o.replica(o.ctx, "two")

	d := &appsv1.Deployment{}
	d.Name, d.Namespace = "web", "default"
	n := int32(20)
	d.Spec.Replicas = &n
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	d.Spec.Template.Labels = map[string]string{"app": "web"}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "c", Image: "v1"}}
	o.create(schemas.Deployments, d)
	eventually(t, v, "the first pods", func() bool { return o.pods() > 2 })
	stopFirst()
	if err := <-firstDone; err != nil {
		t.Errorf("Run = %v", err)
	}
	o.Kick(t)
	eventually(t, v, "20 pods, counted", func() bool {
		web, ok := v.Get(schemas.RefOf(schemas.Deployments, d))
		return o.pods() == 20 && ok && web.(*appsv1.Deployment).Status.Replicas == 20
	})
	if sets := v.List(schemas.ReplicaSets, "default"); len(sets) != 1 {
		t.Errorf("replicasets: %v", sets)
	}

	o.delete(schemas.RefOf(schemas.Deployments, d))
	eventually(t, v, "all is collected, conclusions too", func() bool {
		return o.pods() == 0 && len(v.List(schemas.ReplicaSets, "default")) == 0 && len(v.Orphans()) == 0
	})
	if n := made.Load(); n != 20 {
		t.Errorf("%d pods were made for 20", n)
	}
}

// TestHeartbeatsOverTheBus lets a node's heartbeat stop, and come back.
func TestHeartbeatsOverTheBus(t *testing.T) {
	o := newOnBus(t)
	conn := o.Conn(t, "system:controller")
	o.services.Go(func() {
		_ = controller.Run(o.ctx, conn, controller.Config{ID: "one", Table: o.registry.table, NodeMonitorGrace: 100 * time.Millisecond})
	})
	node := &corev1.Node{}
	node.Name = "n1"
	agent := o.Conn(t, bus.NodeUser("n1"))
	beat := func(ctx context.Context) { _ = lease.Heartbeat(ctx, agent, "n1", 250*time.Millisecond, time.Second) }
	alive, die := context.WithCancel(o.ctx)
	o.services.Go(func() { beat(alive) })
	o.create(schemas.Nodes, node)
	tainted := func() bool {
		n, ok := o.view.Get(schemas.RefOf(schemas.Nodes, node))
		return ok && len(n.(*corev1.Node).Spec.Taints) > 0
	}
	eventually(t, o.view, "n1 has a pod CIDR and no taints", func() bool {
		n, ok := o.view.Get(schemas.RefOf(schemas.Nodes, node))
		return ok && n.(*corev1.Node).Spec.PodCIDR != "" && !tainted()
	})
	die()
	eventually(t, o.view, "n1 is unreachable", tainted)
	o.services.Go(func() { beat(o.ctx) })
	eventually(t, o.view, "n1 is back", func() bool { return !tainted() })
}
