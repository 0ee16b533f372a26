package apiserver_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

func told(t testing.TB, c *api.Client, ref schemas.Ref) string {
	t.Helper()
	revisions, err := c.History(ctx(t), ref)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range revisions {
		var m v1.ConfigMap
		if err := json.Unmarshal(r.Object, &m); err != nil {
			t.Fatal(err)
		}
		if r.User != "admin" || r.Time.IsZero() || strings.Contains(string(r.Object), "writtenBy") {
			t.Errorf("revision %+v: %s", r, r.Object)
		}
		line := fmt.Sprintf("%d:%s", r.Number, m.Data["k"])
		if r.Current {
			line += "*"
		}
		if r.Deleted {
			line += "x"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, " ")
}

func TestHistory(t *testing.T) {
	cl := newCluster(t)
	cl.serve(t, "a")
	cl.serve(t, "b")
	c := cl.client(t, "admin")
	must(c.Create(ctx(t), schemas.ConfigMaps, configMap("a", "k", "1")))(t)
	if got := told(t, c, cmRef("a")); got != "1:1*" {
		t.Errorf("new: %s", got)
	}
	for i := 2; i <= 4; i++ {
		must(c.Update(ctx(t), schemas.ConfigMaps, configMap("a", "k", fmt.Sprint(i)), ""))(t)
		must(c.Patch(ctx(t), cmRef("a"), types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{"l":"%d"}}}`, i), ""))(t)
	}
	if got := told(t, c, cmRef("a")); got != "1:1 2:2 3:3 4:4*" {
		t.Errorf("updated: %s", got)
	}
	if err := c.Delete(ctx(t), cmRef("a"), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := told(t, c, cmRef("a")); got != "1:1 2:2 3:3 4:4x" {
		t.Errorf("deleted: %s", got)
	}
	must(c.Create(ctx(t), schemas.ConfigMaps, configMap("a", "k", "4")))(t)
	if got := told(t, c, cmRef("a")); got != "1:1 2:2 3:3 4:4x 1:4*" {
		t.Errorf("brought back: %s", got)
	}
	if _, err := c.History(ctx(t), cmRef("never")); !apierrors.IsNotFound(err) {
		t.Errorf("never there: %v", err)
	}
}

func TestNoHistoryOfWhatControllersMake(t *testing.T) {
	_, c := one(t)
	m := configMap("a", "k", "1")
	m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "o", UID: "u", Controller: ptr(true)}}
	must(c.Create(ctx(t), schemas.ConfigMaps, m))(t)
	m.Data["k"] = "2"
	got := must(c.Update(ctx(t), schemas.ConfigMaps, m, ""))(t)
	if len(got.GetManagedFields()) != 0 {
		t.Errorf("managedFields: %v", got.GetManagedFields())
	}
	if got := told(t, c, cmRef("a")); got != "1:2*" {
		t.Errorf("got %s", got)
	}
}

// What has a controller has no history from then on, and who changes it does not look for one: what it
// was before is kept first.
func TestHistoryUntilAdopted(t *testing.T) {
	_, c := one(t)
	m := configMap("a", "k", "1")
	must(c.Create(ctx(t), schemas.ConfigMaps, m))(t)
	m.Data["k"] = "2"
	must(c.Update(ctx(t), schemas.ConfigMaps, m, ""))(t)
	m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "o", UID: "u", Controller: ptr(true)}}
	for _, value := range []string{"3", "4"} {
		m.Data["k"] = value
		must(c.Update(ctx(t), schemas.ConfigMaps, m, ""))(t)
	}
	if got := told(t, c, cmRef("a")); !strings.HasPrefix(got, "1:1 2:2 ") || !strings.HasSuffix(got, ":4*") {
		t.Errorf("got %s", got)
	}
}
