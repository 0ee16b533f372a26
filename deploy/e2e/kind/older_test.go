package kind

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/schemas/kinds"
)

// TestOlderController: a controller whose table lacks a kind collects what its objects own, and
// those of its objects whose owners have gone.
func TestOlderController(t *testing.T) {
	r := start(t, kinds.Table().Clone())
	c := r.clients(t, "admin", "system:masters")
	c.ready(t)
	if err := r.table.Put(seal(t)); err != nil {
		t.Fatal(err)
	}
	in, maps := c.Resource(seals).Namespace("default"), c.Resource(configMaps).Namespace("default")
	mother, err := in.Create(t.Context(), object("mother", "grey"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	owned(t, c, "of-mother", mother)
	owner, err := maps.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "owner"}}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pup := object("pup", "white")
	pup.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "owner", UID: owner.GetUID()}})
	if _, err := in.Create(t.Context(), pup, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := in.Delete(t.Context(), "mother", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := maps.Delete(t.Context(), "owner", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what the seal owned goes", func() bool {
		_, err := maps.Get(t.Context(), "of-mother", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	eventually(t, "the seal that was owned goes", func() bool {
		_, err := in.Get(t.Context(), "pup", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}

// TestOlderControllerEmptiesNamespaces: a namespace does not go before the objects in it whose kind
// the controller does not know.
func TestOlderControllerEmptiesNamespaces(t *testing.T) {
	r := start(t, kinds.Table().Clone())
	c := r.clients(t, "admin", "system:masters")
	c.ready(t)
	if err := r.table.Put(seal(t)); err != nil {
		t.Fatal(err)
	}
	namespaces := c.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"})
	if _, err := namespaces.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "bay"}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	bay := c.Resource(seals).Namespace("bay")
	if _, err := bay.Create(t.Context(), object("b", "grey"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := namespaces.Delete(t.Context(), "bay", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace goes", func() bool {
		_, err := namespaces.Get(t.Context(), "bay", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	if _, err := bay.Get(t.Context(), "b", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("what was in it: %v", err)
	}
}
