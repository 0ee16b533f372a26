package view_test

import (
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
)

// TestKindsThatComeAndGo: what is stored of a kind that the table lacks is there as it is, and is of
// the kind's type as soon as the table has one.
func TestKindsThatComeAndGo(t *testing.T) {
	b, kinds := bustest.Start(t).Provisioned(t), table()
	conn := b.Conn(t, "system:controller")
	s, v := store.New(conn, bus.BucketState), view.New(conn, kinds)
	var heard []string
	v.Handle(func(c view.Change) { heard = append(heard, c.Ref.String()) })
	done := make(chan error, 1)
	go func() { done <- v.Run(t.Context()) }()
	t.Cleanup(func() { <-done })
	if err := v.WaitSynced(t.Context()); err != nil {
		t.Fatal(err)
	}
	ref := schemas.Ref{Resource: schemas.ConfigMaps, Namespace: "default", Name: "a"}
	rev, err := s.Create(t.Context(), bus.DesiredKey(ref), []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"default","uid":"u",
		"ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"p","uid":"o"}]},"data":{"k":"v"},"writtenBy":{"user":"admin"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := v.WaitFor(t.Context(), rev); err != nil {
		t.Fatal(err)
	}
	get := func() schemas.Object {
		t.Helper()
		obj, ok := v.Get(ref)
		if !ok || obj.GetUID() != "u" || obj.GetResourceVersion() == "" || len(v.List(ref.Resource, "default")) != 1 {
			t.Fatalf("got %v", obj)
		}
		if owned := v.OwnedBy("o"); !reflect.DeepEqual(owned, []schemas.Ref{ref}) {
			t.Errorf("owned: %v", owned)
		}
		return obj
	}
	if u, ok := get().(*unstructured.Unstructured); !ok || u.Object["writtenBy"] != nil || u.GetKind() != "ConfigMap" {
		t.Errorf("a kind that is not known: %v", u)
	}
	before := get().GetResourceVersion()
	if err := kinds.Put(&schemas.Kind{Resource: schemas.ConfigMaps, Version: "v1", Kind: "ConfigMap", New: func() schemas.Object { return &corev1.ConfigMap{} }}); err != nil {
		t.Fatal(err)
	}
	if m, ok := get().(*corev1.ConfigMap); !ok || m.Data["k"] != "v" || m.ResourceVersion != before {
		t.Errorf("of the kind that came: %v", m)
	}
	kinds.Remove(schemas.ConfigMaps)
	if u, ok := get().(*unstructured.Unstructured); !ok || u.GetKind() != "ConfigMap" {
		t.Errorf("of the kind that went: %v", u)
	}
	if rev, err = s.Delete(t.Context(), bus.DesiredKey(ref), rev); err != nil {
		t.Fatal(err)
	}
	if err := v.WaitFor(t.Context(), rev); err != nil {
		t.Fatal(err)
	}
	if want := []string{ref.String(), ref.String()}; !reflect.DeepEqual(heard, want) {
		t.Errorf("heard of %v, want %v", heard, want)
	}
}
