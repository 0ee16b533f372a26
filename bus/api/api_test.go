package api

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/schemas"
)

const testTimeout = 30 * time.Second

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	return ctx
}

// table has the one kind that the protocol's tests need.
func table() *schemas.Table {
	return schemas.NewTable(&schemas.Kind{
		Resource: schemas.ConfigMaps, Version: "v1", Kind: "ConfigMap", Singular: "configmap", Namespaced: true,
		New: func() schemas.Object {
			return &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}}
		},
	})
}

func configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop"}}
}

func refTo(name string) schemas.Ref {
	return schemas.Ref{Resource: schemas.ConfigMaps, Namespace: "shop", Name: schemas.Name(name)}
}

// fake is a Server made of functions.
type fake struct {
	do    func(ctx context.Context, r *Request) (*Reply, error)
	watch func(ctx context.Context, r *Request, emit func(WatchEvent) error) error
}

func (f fake) Do(ctx context.Context, r *Request) (*Reply, error) { return f.do(ctx, r) }

func (f fake) Watch(_ context.Context, r *Request) (Source, error) {
	return Events(func(ctx context.Context, emit func(WatchEvent) error) error { return f.watch(ctx, r, emit) }), nil
}

// echo answers with the body.
func echo(_ context.Context, r *Request) (*Reply, error) { return &Reply{Body: r.Body}, nil }

// serve runs a server of b until stop, or the test's end.
func serve(t testing.TB, b *bustest.Bus, concurrency int, s Server) (stop func()) {
	t.Helper()
	return serveOn(t, b.Conn(t, "system:apiserver"), concurrency, s)
}

func serveOn(t testing.TB, conn *bus.Conn, concurrency int, s Server) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	before := conn.NC.NumSubscriptions()
	go func() { ended <- Serve(ctx, conn, "apiserver", "v1.2.3", concurrency, s) }()
	// The framework adds nine subscriptions of its own.
	eventually(t, "the endpoints", func() bool { return conn.NC.NumSubscriptions() >= before+9+len(Verbs()) })
	if err := conn.NC.Flush(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("serve: %v", err)
			}
		case <-time.After(testTimeout):
			t.Error("the server does not stop")
		}
	}
	t.Cleanup(stop)
	return stop
}

func client(t testing.TB, b *bustest.Bus) *Client {
	t.Helper()
	return NewClient(b.Conn(t, "admin"), table())
}

func served(t testing.TB, concurrency int, s Server) *Client {
	t.Helper()
	b := bustest.Start(t)
	serve(t, b, concurrency, s)
	return client(t, b)
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(testTimeout)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
		<-tick.C
	}
}
