package apiserver_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

func ptr[T any](v T) *T { return &v }

func gone(t testing.TB, c *api.Client, ref schemas.Ref) {
	t.Helper()
	if _, err := c.Get(ctx(t), ref); !apierrors.IsNotFound(err) {
		t.Errorf("%s is still there: %v", ref, err)
	}
}

func TestDelete(t *testing.T) {
	_, c := one(t)
	m := must(c.Create(ctx(t), schemas.ConfigMaps, configMap("a")))(t)
	if err := c.Delete(ctx(t), cmRef("a"), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: ptr(types.UID("other"))}}); !apierrors.IsConflict(err) {
		t.Errorf("another uid: %v", err)
	}
	if err := c.Delete(ctx(t), cmRef("a"), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: ptr(m.GetUID()), ResourceVersion: ptr(m.GetResourceVersion())}}); err != nil {
		t.Errorf("delete: %v", err)
	}
	gone(t, c, cmRef("a"))
	if err := c.Delete(ctx(t), cmRef("a"), metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("again: %v", err)
	}
	again := must(c.Create(ctx(t), schemas.ConfigMaps, configMap("a")))(t)
	if again.GetUID() == m.GetUID() {
		t.Errorf("made again: %+v", again)
	}
}

func TestFinalizers(t *testing.T) {
	_, c := one(t)
	m := configMap("a")
	m.Finalizers = []string{"example.com/wait"}
	must(c.Create(ctx(t), schemas.ConfigMaps, m))(t)
	if err := c.Delete(ctx(t), cmRef("a"), metav1.DeleteOptions{PropagationPolicy: ptr(metav1.DeletePropagationForeground)}); err != nil {
		t.Fatal(err)
	}
	got := as[*v1.ConfigMap](t, must(c.Get(ctx(t), cmRef("a")))(t))
	if got.DeletionTimestamp == nil || len(got.Finalizers) != 2 {
		t.Fatalf("marked: %+v", got.ObjectMeta)
	}
	if err := c.Delete(ctx(t), cmRef("a"), metav1.DeleteOptions{}); err != nil {
		t.Errorf("again: %v", err)
	}
	one := got.DeepCopy()
	one.Finalizers = []string{metav1.FinalizerDeleteDependents}
	two := must(c.Update(ctx(t), schemas.ConfigMaps, one, ""))(t)
	two.SetFinalizers(nil)
	if _, err := c.Update(ctx(t), schemas.ConfigMaps, two, ""); err != nil {
		t.Fatal(err)
	}
	gone(t, c, cmRef("a"))
}

func TestPodDeletion(t *testing.T) {
	cl, c := one(t)
	must(c.Create(ctx(t), schemas.Pods, pod("pending")))(t)
	if err := c.Delete(ctx(t), podRef("pending"), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	gone(t, c, podRef("pending"))

	p := as[*v1.Pod](t, must(c.Create(ctx(t), schemas.Pods, pod("placed")))(t))
	cl.place(t, p, "n1")
	if got := as[*v1.Pod](t, must(c.Get(ctx(t), podRef("placed")))(t)); got.Spec.NodeName != "n1" {
		t.Fatalf("not placed: %+v", got.Spec)
	}
	if err := c.Delete(ctx(t), podRef("placed"), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	got := as[*v1.Pod](t, must(c.Get(ctx(t), podRef("placed")))(t))
	if got.DeletionTimestamp == nil || *got.DeletionGracePeriodSeconds != 30 {
		t.Fatalf("marked: %+v", got.ObjectMeta)
	}
	// The agent is done.
	agent := cl.client(t, bus.NodeUser("n1"))
	final := metav1.DeleteOptions{GracePeriodSeconds: ptr(int64(0)), Preconditions: &metav1.Preconditions{UID: &p.UID}}
	if err := cl.client(t, bus.NodeUser("n2")).Delete(ctx(t), podRef("placed"), final); !apierrors.IsForbidden(err) {
		t.Errorf("another node: %v", err)
	}
	if err := agent.Delete(ctx(t), podRef("placed"), final); err != nil {
		t.Fatal(err)
	}
	gone(t, c, podRef("placed"))
}

func TestDeleteCollection(t *testing.T) {
	_, c := one(t)
	for i := range 10 {
		m := configMap(fmt.Sprintf("m%d", i))
		m.Labels = map[string]string{"odd": fmt.Sprint(i%2 == 1)}
		must(c.Create(ctx(t), schemas.ConfigMaps, m))(t)
	}
	var list v1.ConfigMapList
	_, err := do(t, c, &api.Request{Verb: api.VerbDeleteCollection, Resource: schemas.ConfigMaps, Namespace: "default",
		List: &metav1.ListOptions{LabelSelector: "odd=true"}}, &list)
	if err != nil || len(list.Items) != 5 {
		t.Errorf("deleted %d, %v", len(list.Items), err)
	}
	left, _, err := c.List(ctx(t), schemas.ConfigMaps, "default", metav1.ListOptions{})
	if err != nil || len(left) != 5 {
		t.Errorf("%d left, %v", len(left), err)
	}
}

func TestNamespaceLifeCycle(t *testing.T) {
	_, c := one(t)
	ref := schemas.Ref{Resource: schemas.Namespaces, Name: "shop"}
	n := as[*v1.Namespace](t, must(c.Create(ctx(t), schemas.Namespaces, &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}))(t))
	if len(n.Spec.Finalizers) != 1 || n.Status.Phase != v1.NamespaceActive {
		t.Errorf("new: %+v", n)
	}
	if err := c.Delete(ctx(t), ref, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	n = as[*v1.Namespace](t, must(c.Get(ctx(t), ref))(t))
	if n.DeletionTimestamp == nil || n.Status.Phase != v1.NamespaceTerminating {
		t.Fatalf("deleting: %+v", n)
	}
	m := configMap("a")
	m.Namespace = "shop"
	if _, err := c.Create(ctx(t), schemas.ConfigMaps, m); !apierrors.HasStatusCause(err, v1.NamespaceTerminatingCause) || !apierrors.IsForbidden(err) {
		t.Errorf("create in it: %v", err)
	}
	n.Spec.Finalizers = nil
	kept := must(c.Update(ctx(t), schemas.Namespaces, n, ""))(t)
	if len(as[*v1.Namespace](t, kept).Spec.Finalizers) != 1 {
		t.Error("a plain update took the finalizer off")
	}
	fin := &api.Request{Verb: api.VerbUpdate, Resource: schemas.Namespaces, Name: "shop", Subresource: "finalize", Body: encode(t, n)}
	if _, err := do(t, c, fin, nil); err != nil {
		t.Fatal(err)
	}
	gone(t, c, ref)
	if err := c.Delete(ctx(t), schemas.Ref{Resource: schemas.Namespaces, Name: "default"}, metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("default: %v", err)
	}
}

func TestEvictionAndBinding(t *testing.T) {
	cl, c := one(t)
	cl.controller(t)
	p := as[*v1.Pod](t, must(c.Create(ctx(t), schemas.Pods, pod("p")))(t))
	sub := func(name, body string) *api.Request {
		return &api.Request{Verb: api.VerbCreate, Resource: schemas.Pods, Namespace: "default", Name: "p", Subresource: name, Body: []byte(body)}
	}
	// No scheduler serves here.
	if _, err := do(t, c, sub("binding", `{"target":{"kind":"Node","name":"n1"}}`), nil); !apierrors.IsServiceUnavailable(err) {
		t.Errorf("no scheduler: %v", err)
	}
	cl.place(t, p, "n1")
	if _, err := do(t, c, sub("binding", `{"target":{"kind":"Node","name":"n2"}}`), nil); !apierrors.IsConflict(err) {
		t.Errorf("bound already: %v", err)
	}
	if _, err := do(t, c, sub("eviction", `{"metadata":{"name":"other"}}`), nil); !apierrors.IsInvalid(err) {
		t.Errorf("another name: %v", err)
	}
	if _, err := do(t, c, sub("eviction", `{"metadata":{"name":"p"},"deleteOptions":{"gracePeriodSeconds":5}}`), nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		got := as[*v1.Pod](t, must(c.Get(ctx(t), podRef("p")))(t))
		if got.DeletionGracePeriodSeconds == nil || *got.DeletionGracePeriodSeconds != 5 {
			return errors.New("not deleted")
		}
		for _, cond := range got.Status.Conditions {
			if cond.Type == v1.DisruptionTarget && cond.Reason == "EvictionByEvictionAPI" {
				return nil
			}
		}
		return errors.New("no condition")
	})
}

func TestEphemeralContainersSubresource(t *testing.T) {
	_, c := one(t)
	must(c.Create(ctx(t), schemas.Pods, pod("p")))(t)
	patch := func(body string) (*v1.Pod, error) {
		out, err := c.Patch(ctx(t), podRef("p"), types.StrategicMergePatchType, []byte(body), "ephemeralcontainers")
		if err != nil {
			return nil, err
		}
		return as[*v1.Pod](t, out), nil
	}
	got, err := patch(`{"metadata":{"labels":{"not":"taken"}},"spec":{"ephemeralContainers":[{"name":"d","image":"i"}]}}`)
	if err != nil {
		t.Fatal(err)
	}
	ec := got.Spec.EphemeralContainers
	if len(ec) != 1 || ec[0].ImagePullPolicy != v1.PullAlways || got.Generation != 2 || got.Labels["not"] != "" {
		t.Errorf("%+v", got)
	}
	if got, err = patch(`{"spec":{"ephemeralContainers":[{"name":"e","image":"i"}]}}`); err != nil || len(got.Spec.EphemeralContainers) != 2 {
		t.Fatalf("a second one: %v, %+v", err, got)
	}
	for _, tc := range []struct{ body, want string }{
		{`{"spec":{"ephemeralContainers":[{"name":"d","image":"other"}]}}`, `existing ephemeral containers "d" may not be changed`},
		{`{"spec":{"ephemeralContainers":[{"name":"d","$patch":"delete"}]}}`, `existing ephemeral containers "d" may not be removed`},
		{`{"spec":{"ephemeralContainers":[{"name":"f","image":"i","targetContainerName":"none"}]}}`, "targetContainerName"},
	} {
		if _, err := patch(tc.body); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.body, err)
		}
	}
	got.Spec.EphemeralContainers = append(got.Spec.EphemeralContainers, v1.EphemeralContainer{EphemeralContainerCommon: v1.EphemeralContainerCommon{Name: "g", Image: "i:1"}})
	old := got.DeepCopy()
	if out, err := c.Update(ctx(t), schemas.Pods, got, "ephemeralcontainers"); err != nil || len(as[*v1.Pod](t, out).Spec.EphemeralContainers) != 3 {
		t.Errorf("update: %v", err)
	}
	old.Spec.EphemeralContainers = append(old.Spec.EphemeralContainers, v1.EphemeralContainer{EphemeralContainerCommon: v1.EphemeralContainerCommon{Name: "h", Image: "i:1"}})
	if _, err := c.Update(ctx(t), schemas.Pods, old, "ephemeralcontainers"); !apierrors.IsConflict(err) {
		t.Errorf("update of an old one: %v", err)
	}
}
