package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	wire "github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
)

func encode(t *testing.T, o schemas.Object) []byte {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t *testing.T, s *store.Store, k bus.Key, o schemas.Object) store.Revision {
	t.Helper()
	var rev store.Revision
	if e, err := s.Get(t.Context(), k); err == nil && !e.Deleted {
		rev = e.Revision
	}
	rev, err := s.Apply(t.Context(), store.Op{Key: k, Value: encode(t, o), Revision: rev})
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

// ask sends a status write over the bus and returns the answer as an error.
func ask(t *testing.T, conn *bus.Conn, o schemas.Object) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		answer, err := conn.Request(ctx, bus.StatusSubject, encode(t, o))
		if errors.Is(err, bus.ErrUnreachable) && ctx.Err() == nil {
			continue // the endpoint is still subscribing
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(answer) == 0 {
			return nil
		}
		return wire.Decode(answer)
	}
}

func TestEndpoint(t *testing.T) {
	b := bustest.Start(t).Provisioned(t)
	conn := b.Conn(t, "system:controller")
	s := store.New(conn, bus.BucketState)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- NewEndpoint(conn, kinds.Table(), slog.New(slog.DiscardHandler)).Serve(ctx, conn) }()
	defer func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Serve = %v", err)
		}
	}()
	client := b.Conn(t, "system:apiserver")

	d := &appsv1.Deployment{}
	d.APIVersion, d.Kind, d.Name, d.Namespace, d.UID = "apps/v1", "Deployment", "web", "default", "u1"
	ref := schemas.RefOf(schemas.Deployments, d)
	if err := ask(t, client, d); !apierrors.IsNotFound(err) {
		t.Errorf("status of what is not there: %v", err)
	}
	rev := put(t, s, bus.DesiredKey(ref), d)
	d.ResourceVersion = fmt.Sprint(rev)
	d.Status.Replicas = 3
	if err := ask(t, client, d); err != nil {
		t.Errorf("first write: %v", err)
	}
	e, err := s.Get(t.Context(), bus.CurrentKey(ref))
	if err != nil || !strings.Contains(string(e.Value), `"replicas":3`) {
		t.Errorf("stored %s, %v", e.Value, err)
	}
	d.Status.Replicas = 4
	if err := ask(t, client, d); !apierrors.IsConflict(err) {
		t.Errorf("a write at an old resourceVersion: %v", err)
	}
	d.ResourceVersion = fmt.Sprint(e.Revision)
	if err := ask(t, client, d); err != nil {
		t.Errorf("second write: %v", err)
	}
	d.UID, d.ResourceVersion = "u0", ""
	if err := ask(t, client, d); !apierrors.IsConflict(err) {
		t.Errorf("a write for an earlier object: %v", err)
	}
	cm := &corev1.ConfigMap{}
	cm.APIVersion, cm.Kind, cm.Name = "v1", "ConfigMap", "c"
	if err := ask(t, client, cm); !apierrors.IsBadRequest(err) {
		t.Errorf("a kind without status: %v", err)
	}
}

func TestPodStatusIsAnOverlay(t *testing.T) {
	b := bustest.Start(t).Provisioned(t)
	conn := b.Conn(t, "system:controller")
	s := store.New(conn, bus.BucketState)
	e := NewEndpoint(conn, kinds.Table(), slog.New(slog.DiscardHandler))
	p := &corev1.Pod{}
	p.APIVersion, p.Kind, p.Name, p.Namespace, p.UID = "v1", "Pod", "p", "default", "u1"
	p.Spec.NodeName = "n1"
	ref := schemas.RefOf(schemas.Pods, p)
	put(t, s, bus.DesiredKey(ref), p)
	ready := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue}
	p.Status.Conditions = []corev1.PodCondition{ready}
	put(t, s, bus.ObservedPodKey("n1", "default", "p"), p)

	gate := corev1.PodCondition{Type: "example.com/gate", Status: corev1.ConditionTrue}
	p.Status.Conditions = append(p.Status.Conditions, gate)
	if err := e.Write(t.Context(), encode(t, p)); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), bus.CurrentKey(ref))
	if err != nil || !strings.Contains(string(got.Value), "example.com/gate") || strings.Contains(string(got.Value), `"Ready"`) {
		t.Errorf("stored %s, %v", got.Value, err)
	}
	p.Status.Conditions = []corev1.PodCondition{ready}
	if err := e.Write(t.Context(), encode(t, p)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), bus.CurrentKey(ref)); err == nil && !got.Deleted {
		t.Errorf("still stored: %s", got.Value)
	}
}
