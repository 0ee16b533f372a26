package rootca_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/clustertest"
	"github.com/skerry/skerry/services/controller/namespace"
	"github.com/skerry/skerry/services/controller/rootca"
)

var published = schemas.Ref{Resource: schemas.ConfigMaps, Namespace: "team", Name: "kube-root-ca.crt"}

func TestPublish(t *testing.T) {
	w := clustertest.New(t, 1)
	run := w.Runner(rootca.New(w.Cluster(), "authority"), namespace.New(w.Cluster()))
	ns := &corev1.Namespace{}
	ns.Name = "team"
	if _, err := w.Create(t.Context(), schemas.Namespaces, ns); err != nil {
		t.Fatal(err)
	}
	holds := func(when string) *corev1.ConfigMap {
		t.Helper()
		run.Settle()
		o, _ := w.Get(published)
		m, ok := o.(*corev1.ConfigMap)
		if !ok || len(m.Data) != 1 || m.Data["ca.crt"] != "authority" || len(m.BinaryData) != 0 {
			t.Fatalf("%s: %+v", when, o)
		}
		return m
	}
	m := holds("made").DeepCopy()
	m.Data, m.BinaryData = map[string]string{"ca.crt": "another", "more": "data"}, map[string][]byte{"b": {1}}
	if _, err := w.Update(t.Context(), schemas.ConfigMaps, m, ""); err != nil {
		t.Fatal(err)
	}
	holds("changed by somebody")
	if err := w.Delete(t.Context(), published, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	holds("deleted by somebody")
	before := w.Writes()
	run.Wake(0, schemas.Ref{Resource: schemas.Namespaces, Name: "team"})
	run.Settle()
	if w.Writes() != before {
		t.Error("reconciling again wrote something")
	}
	// It does not keep its namespace from going.
	if err := w.Delete(t.Context(), schemas.Ref{Resource: schemas.Namespaces, Name: "team"}, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	run.Settle()
	if o, ok := w.Get(published); ok {
		t.Errorf("after the namespace there is %+v", o)
	}
	if o, ok := w.Get(schemas.Ref{Resource: schemas.Namespaces, Name: "team"}); ok {
		t.Errorf("the namespace stays: %+v", o)
	}
}
