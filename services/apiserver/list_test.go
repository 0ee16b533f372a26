package apiserver_test

import (
	"fmt"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

func list(t testing.TB, c *api.Client, o metav1.ListOptions) (*v1.ConfigMapList, error) {
	t.Helper()
	var l v1.ConfigMapList
	_, err := do(t, c, &api.Request{Verb: api.VerbList, Resource: schemas.ConfigMaps, Namespace: "default", List: &o}, &l)
	return &l, err
}

func itemNames(l *v1.ConfigMapList) string {
	var names []string
	for _, i := range l.Items {
		names = append(names, i.Name)
	}
	return strings.Join(names, " ")
}

func fill(t testing.TB, c *api.Client, n int) {
	t.Helper()
	for i := range n {
		m := configMap(fmt.Sprintf("m%d", i))
		m.Labels = map[string]string{"odd": fmt.Sprint(i%2 == 1)}
		must(c.Create(ctx(t), schemas.ConfigMaps, m))(t)
	}
}

func TestListPages(t *testing.T) {
	cl := newCluster(t)
	cl.serve(t, "a")
	cl.serve(t, "b") // pages may come from either
	c := cl.client(t, "admin")
	fill(t, c, 7)
	first, err := list(t, c, metav1.ListOptions{Limit: 3})
	if err != nil || itemNames(first) != "m0 m1 m2" || first.RemainingItemCount == nil || *first.RemainingItemCount != 4 || first.Kind != "ConfigMapList" {
		t.Fatalf("first page: %v %s %+v", err, itemNames(first), first.ListMeta)
	}
	// What happens between the pages does not show.
	must(c.Create(ctx(t), schemas.ConfigMaps, configMap("m55")))(t)
	if err := c.Delete(ctx(t), cmRef("m4"), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	second, err := list(t, c, metav1.ListOptions{Limit: 3, Continue: first.Continue})
	if err != nil || itemNames(second) != "m3 m4 m5" || second.ResourceVersion != first.ResourceVersion {
		t.Fatalf("second page: %v %s %+v", err, itemNames(second), second.ListMeta)
	}
	third, err := list(t, c, metav1.ListOptions{Limit: 3, Continue: second.Continue})
	if err != nil || itemNames(third) != "m6" || third.Continue != "" {
		t.Fatalf("third page: %v %s %+v", err, itemNames(third), third.ListMeta)
	}
	exact, err := list(t, c, metav1.ListOptions{ResourceVersion: first.ResourceVersion, ResourceVersionMatch: metav1.ResourceVersionMatchExact})
	if err != nil || len(exact.Items) != 7 {
		t.Errorf("exact: %v %s", err, itemNames(exact))
	}
	if _, err := list(t, c, metav1.ListOptions{Continue: "rubbish"}); !apierrors.IsBadRequest(err) {
		t.Errorf("rubbish: %v", err)
	}
}

func TestListExpires(t *testing.T) {
	cl := newCluster(t)
	stop := cl.serve(t, "a")
	c := cl.client(t, "admin")
	fill(t, c, 4)
	first, err := list(t, c, metav1.ListOptions{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	must(c.Create(ctx(t), schemas.ConfigMaps, configMap("m9")))(t)
	stop() // the next one does not know what was before it
	cl.serve(t, "b")
	_, err = list(t, c, metav1.ListOptions{Limit: 2, Continue: first.Continue})
	if !apierrors.IsResourceExpired(err) {
		t.Fatalf("got %v, want Expired", err)
	}
	next := err.(apierrors.APIStatus).Status().Continue
	rest, err := list(t, c, metav1.ListOptions{Continue: next})
	if err != nil || itemNames(rest) != "m2 m3 m9" {
		t.Errorf("the rest: %v %s", err, itemNames(rest))
	}
}

func TestListSelectors(t *testing.T) {
	_, c := one(t)
	fill(t, c, 5)
	l, err := list(t, c, metav1.ListOptions{LabelSelector: "odd=true", Limit: 1})
	if err != nil || itemNames(l) != "m1" || l.RemainingItemCount != nil || l.Continue == "" {
		t.Errorf("labels: %v %s %+v", err, itemNames(l), l.ListMeta)
	}
	if l, err = list(t, c, metav1.ListOptions{FieldSelector: "metadata.name!=m1,metadata.namespace=default"}); err != nil || itemNames(l) != "m0 m2 m3 m4" {
		t.Errorf("fields: %v %s", err, itemNames(l))
	}
	for _, o := range []metav1.ListOptions{
		{LabelSelector: "a in b"}, {FieldSelector: "data=x"}, {ResourceVersion: "x"},
		{ResourceVersionMatch: "Exact"}, {ResourceVersion: "0", ResourceVersionMatch: "Exact"}, {ResourceVersion: "1", ResourceVersionMatch: "Odd"},
	} {
		if _, err := list(t, c, o); !apierrors.IsBadRequest(err) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := list(t, c, metav1.ListOptions{ResourceVersion: "1000000"}); !apierrors.IsTimeout(err) || !apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) {
		t.Errorf("future: %v", err)
	}
}
