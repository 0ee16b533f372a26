package namespace_test

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/clustertest"
	"github.com/skerry/skerry/services/controller/namespace"
)

var team = schemas.Ref{Resource: schemas.Namespaces, Name: "team"}

func start(t *testing.T) (*clustertest.World, *clustertest.Runner) {
	t.Helper()
	w := clustertest.New(t, 1)
	run := w.Runner(namespace.New(w.Cluster()))
	ns := &corev1.Namespace{}
	ns.Name = "team"
	if _, err := w.Create(t.Context(), schemas.Namespaces, ns); err != nil {
		t.Fatal(err)
	}
	run.Settle()
	return w, run
}

func status(t *testing.T, w *clustertest.World) corev1.NamespaceStatus {
	t.Helper()
	o, ok := w.Get(team)
	if !ok {
		t.Fatal("the namespace is gone")
	}
	return o.(*corev1.Namespace).Status
}

func TestActive(t *testing.T) {
	w, run := start(t)
	if s := status(t, w); s.Phase != corev1.NamespaceActive {
		t.Errorf("phase = %s", s.Phase)
	}
	account := schemas.Ref{Resource: schemas.ServiceAccounts, Namespace: "team", Name: "default"}
	if _, ok := w.Get(account); !ok {
		t.Fatal("no default serviceaccount")
	}
	if err := w.Delete(t.Context(), account, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	run.Settle()
	if _, ok := w.Get(account); !ok {
		t.Error("the default serviceaccount did not come back")
	}
	before := w.Writes()
	run.Wake(0, team)
	run.Settle()
	if w.Writes() != before {
		t.Error("reconciling again wrote something")
	}
}

func TestTerminating(t *testing.T) {
	w, run := start(t)
	p := &corev1.Pod{}
	p.Name, p.Namespace = "p", "team"
	held := &corev1.ConfigMap{}
	held.Name, held.Namespace, held.Finalizers = "held", "team", []string{"example.com/hold"}
	for r, o := range map[schemas.Resource]schemas.Object{schemas.Pods: p, schemas.ConfigMaps: held} {
		if _, err := w.Create(t.Context(), r, o); err != nil {
			t.Fatal(err)
		}
	}
	w.Assign(schemas.RefOf(schemas.Pods, p), "n1")
	refuse := true
	w.Refuse = func(verb string, ref schemas.Ref, _ schemas.Object) error {
		if refuse && verb == "delete" && ref.Resource == schemas.ServiceAccounts {
			refuse = false
			return errors.New("not now")
		}
		return nil
	}
	if err := w.Delete(t.Context(), team, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	run.Settle()
	s := status(t, w)
	want := map[corev1.NamespaceConditionType]string{
		corev1.NamespaceDeletionDiscoveryFailure: "ResourcesDiscovered",
		corev1.NamespaceDeletionGVParsingFailure: "ParsedGroupVersions",
		corev1.NamespaceDeletionContentFailure:   "ContentDeleted",
		corev1.NamespaceContentRemaining:         "SomeResourcesRemain",
		corev1.NamespaceFinalizersRemaining:      "SomeFinalizersRemain",
	}
	if s.Phase != corev1.NamespaceTerminating || len(s.Conditions) != len(want) {
		t.Errorf("status = %+v", s)
	}
	for _, c := range s.Conditions {
		if c.Reason != want[c.Type] {
			t.Errorf("%s: %s", c.Type, c.Reason)
		}
		if c.Type == corev1.NamespaceContentRemaining && !strings.Contains(c.Message, "configmaps. has 1 resource instances, pods. has 1 resource instances") {
			t.Errorf("message = %q", c.Message)
		}
	}
	// The agent stops the pod, and whoever held the ConfigMap lets go.
	zero := int64(0)
	if err := w.Delete(t.Context(), schemas.RefOf(schemas.Pods, p), metav1.DeleteOptions{GracePeriodSeconds: &zero}); err != nil {
		t.Fatal(err)
	}
	o, _ := w.Get(schemas.RefOf(schemas.ConfigMaps, held))
	free := o.DeepCopyObject().(*corev1.ConfigMap)
	free.Finalizers = nil
	if _, err := w.Update(t.Context(), schemas.ConfigMaps, free, ""); err != nil {
		t.Fatal(err)
	}
	run.Settle()
	if _, ok := w.Get(team); ok {
		t.Error("the namespace is still there")
	}
}
