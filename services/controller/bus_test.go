package controller_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
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
	made map[schemas.Ref]int // how often each object was created
}

func (g *registry) Watch(context.Context, *api.Request, func(api.WatchEvent) error) error {
	return errors.New("not served")
}

func (g *registry) Do(ctx context.Context, r *api.Request) (*api.Reply, error) {
	if r.Resource == schemas.Events {
		return &api.Reply{Body: r.Body}, nil
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
		return &api.Reply{Body: old.Value}, nil
	case r.Verb == api.VerbCreate:
		g.complete(kind, ref, obj)
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
	value, err = json.Marshal(obj)
	return &api.Reply{Body: value}, err
}

func (g *registry) complete(kind *schemas.Kind, ref schemas.Ref, obj schemas.Object) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.uids++
	g.made[ref]++
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
	for !ok() {
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("never: %s", what)
		}
	}
}

// TestOverTheBus runs two replicas on a real server, loses the leading one in the
// middle of the work, and the connection too.
func TestOverTheBus(t *testing.T) {
	b := bustest.Start(t).Provisioned(t)
	table := kinds.Table()
	ctx, cancel := context.WithCancel(t.Context())
	var services sync.WaitGroup
	defer services.Wait()
	defer cancel()
	server := b.Conn(t, "system:apiserver")
	g := &registry{state: store.New(server, bus.BucketState), table: table, made: map[schemas.Ref]int{}}
	services.Go(func() { _ = api.Serve(ctx, server, "apiserver", "0.0.1", 8, g) })
	admin := b.Conn(t, "admin")
	v := view.New(admin, table)
	services.Go(func() { _ = v.Run(ctx) })
	if err := v.WaitSynced(ctx); err != nil {
		t.Fatal(err)
	}
	// The first replica leads before the second stands for election.
	first, stopFirst := context.WithCancel(ctx)
	replica := func(ctx context.Context, id string) <-chan error {
		conn, done := b.Conn(t, "system:controller"), make(chan error, 1)
		services.Go(func() { done <- controller.Run(ctx, conn, controller.Config{ID: id, Table: table}) })
		return done
	}
	firstDone := replica(first, "one")
	client := api.NewClient(admin, table)
	create := func(r schemas.Resource, o schemas.Object) {
		t.Helper()
		if _, err := client.Create(ctx, r, o); err != nil {
			t.Fatal(err)
		}
	}
	node := &corev1.Node{}
	node.Name = "n1"
	create(schemas.Nodes, node)
	eventually(t, v, "n1 has a pod CIDR", func() bool {
		o, ok := v.Get(schemas.RefOf(schemas.Nodes, node))
		return ok && o.(*corev1.Node).Spec.PodCIDR == "10.244.0.0/24"
	})
	replica(ctx, "two")
	services.Go(func() {
		_ = lease.Heartbeat(ctx, b.Conn(t, bus.NodeUser("n1")), "n1", time.Second, 5*time.Second)
	})

	d := &appsv1.Deployment{}
	d.Name, d.Namespace = "web", "default"
	n := int32(20)
	d.Spec.Replicas = &n
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	d.Spec.Template.Labels = map[string]string{"app": "web"}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "c", Image: "v1"}}
	create(schemas.Deployments, d)
	pods := func() int { return len(v.List(schemas.Pods, "default")) }
	eventually(t, v, "the first pods", func() bool { return pods() > 2 })
	stopFirst()
	if err := <-firstDone; err != nil {
		t.Errorf("Run = %v", err)
	}
	b.Kick(t)
	status := func() appsv1.DeploymentStatus {
		o, ok := v.Get(schemas.RefOf(schemas.Deployments, d))
		if !ok {
			return appsv1.DeploymentStatus{}
		}
		return o.(*appsv1.Deployment).Status
	}
	eventually(t, v, "20 pods, counted", func() bool { return pods() == 20 && status().Replicas == 20 })
	if len(v.List(schemas.ReplicaSets, "default")) != 1 {
		t.Errorf("replicasets: %v", v.List(schemas.ReplicaSets, "default"))
	}

	if err := client.Delete(ctx, schemas.RefOf(schemas.Deployments, d), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, v, "all is collected, conclusions too", func() bool {
		return pods() == 0 && len(v.List(schemas.ReplicaSets, "default")) == 0 && len(v.Orphans()) == 0
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	made := 0
	for ref, times := range g.made {
		if ref.Resource == schemas.Pods {
			made += times
		}
	}
	if made != 20 {
		t.Errorf("%d pods were made for 20", made)
	}
}
