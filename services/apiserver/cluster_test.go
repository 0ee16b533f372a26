package apiserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/services/apiserver"
)

// cluster is a bus with apiservers.
type cluster struct {
	bus   *bustest.Bus
	table *schemas.Table
	// gateway is where apiservers are told that the HTTP API is.
	gateway netip.AddrPort
}

func newCluster(t testing.TB, options ...bustest.Option) *cluster {
	t.Helper()
	return &cluster{bus: bustest.Start(t, options...), table: kinds.Table()}
}

// heard closes itself when an apiserver logs that it serves: from then on it knows
// all changes, so it can go on with a list that another replica began.
type heard struct {
	slog.Handler
	once *sync.Once
	ch   chan struct{}
}

func newHeard() heard { return heard{slog.DiscardHandler, &sync.Once{}, make(chan struct{})} }

func (h heard) Enabled(context.Context, slog.Level) bool { return true }
func (h heard) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h heard) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "serving" {
		h.once.Do(func() { close(h.ch) })
	}
	return nil
}

// serve starts an apiserver and returns when it answers; stop ends it and waits. The one of the
// id a is in the bus' own process, as that of `skerry up` is, others are elsewhere.
func (c *cluster) serve(t testing.TB, id string) (stop func()) {
	t.Helper()
	return c.serveWith(t, id, "", "")
}

// serveWith is serve with ranges for services.
func (c *cluster) serveWith(t testing.TB, id, addresses, ports string) (stop func()) {
	t.Helper()
	connect := c.bus.Conn
	if id == "a" {
		connect = c.bus.Inside
	}
	conn := connect(t, "system:apiserver")
	ctx, cancel := context.WithCancel(context.Background())
	log := newHeard()
	var running sync.WaitGroup
	running.Go(func() {
		if err := apiserver.Run(ctx, conn, apiserver.Config{ID: id, Table: c.table, ServiceCIDR: addresses, NodePorts: ports, Gateway: c.gateway, Log: slog.New(log)}); err != nil {
			t.Errorf("apiserver %s: %v", id, err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	select {
	case <-log.ch:
	case <-time.After(20 * time.Second):
		t.Fatalf("apiserver %s does not come to serve", id)
	}
	c.awaitNamespace(t, "kube-node-lease")
	return stop
}

func (c *cluster) awaitNamespace(t testing.TB, name schemas.Name) {
	t.Helper()
	client := c.client(t, "admin")
	client.RetryFor = 20 * time.Second
	eventually(t, func() error {
		_, err := client.Get(ctx(t), schemas.Ref{Resource: schemas.Namespaces, Name: name})
		return err
	})
}

func (c *cluster) client(t testing.TB, user bus.User) *api.Client {
	t.Helper()
	return api.NewClient(c.bus.Conn(t, user), c.table)
}

// one starts a bus with one apiserver and returns admin's client.
func one(t testing.TB) (*cluster, *api.Client) {
	t.Helper()
	c := newCluster(t)
	c.serve(t, "a")
	return c, c.client(t, "admin")
}

func ctx(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// eventually polls f, for what nothing announces.
func eventually(t testing.TB, f func() error) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still: %v", err)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func configMap(name string, data ...string) *v1.ConfigMap {
	m := &v1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}}
	for i := 0; i+1 < len(data); i += 2 {
		if m.Data == nil {
			m.Data = map[string]string{}
		}
		m.Data[data[i]] = data[i+1]
	}
	return m
}

func cmRef(name string) schemas.Ref {
	return schemas.Ref{Resource: schemas.ConfigMaps, Namespace: "default", Name: schemas.Name(name)}
}

func podRef(name string) schemas.Ref {
	return schemas.Ref{Resource: schemas.Pods, Namespace: "default", Name: schemas.Name(name)}
}

func pod(name string) *v1.Pod {
	return &v1.Pod{TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
		Spec: v1.PodSpec{Containers: []v1.Container{{Name: "c", Image: "registry.example/hello:1"}}}}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// as is obj's own type.
func as[T schemas.Object](t testing.TB, obj schemas.Object) T {
	t.Helper()
	v, ok := obj.(T)
	if !ok {
		t.Fatalf("got a %T", obj)
	}
	return v
}

// do sends r and decodes the answer into out, if that is not nil.
func do(t testing.TB, c *api.Client, r *api.Request, out any) (*api.Reply, error) {
	t.Helper()
	reply, err := c.Do(ctx(t), r)
	if err == nil && out != nil {
		if err := json.Unmarshal(reply.Body, out); err != nil {
			t.Fatalf("decode %s: %v", reply.Body, err)
		}
	}
	return reply, err
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// place does what the scheduler does.
func (c *cluster) place(t testing.TB, p *v1.Pod, node string) {
	t.Helper()
	p = p.DeepCopy()
	p.Spec.NodeName = node
	s := store.New(c.bus.Conn(t, "system:scheduler"), bus.BucketState)
	key := bus.AssignedKey(schemas.NodeName(node), schemas.Namespace(p.Namespace), schemas.Name(p.Name))
	if _, err := s.Create(ctx(t), key, encode(t, p)); err != nil {
		t.Fatal(err)
	}
}

// controller answers status writes as the controller does, until the test ends.
func (c *cluster) controller(t testing.TB) {
	t.Helper()
	conn := c.bus.Conn(t, "system:controller")
	s := store.New(conn, bus.BucketState)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		_ = conn.Respond(ctx, bus.StatusSubject, "controller", 4, func(ctx context.Context, _ string, data []byte) []byte {
			if err := putStatus(ctx, c.table, s, data); err != nil {
				t.Errorf("controller: %v", err)
			}
			return nil
		})
	})
	t.Cleanup(func() { cancel(); running.Wait() })
}

func putStatus(ctx context.Context, table *schemas.Table, s *store.Store, data []byte) error {
	var meta metav1.PartialObjectMetadata
	if err := json.Unmarshal(data, &meta); err != nil {
		return err
	}
	k := table.ByGVK(meta.GroupVersionKind())
	if k == nil {
		return fmt.Errorf("no kind %s", meta.GroupVersionKind())
	}
	key := bus.CurrentKey(schemas.RefOf(k.Resource, &meta))
	e, _ := s.Get(ctx, key)
	_, err := s.Update(ctx, key, data, e.Revision)
	return err
}
