package apiserver_test

import (
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// TestRows reads a list of several pages as rows: every object once, in order.
func TestRows(t *testing.T) {
	_, admin := one(t)
	var objs []schemas.Object
	for i := range api.MaxMany {
		objs = append(objs, &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("m%04d", i), Labels: map[string]string{"n": fmt.Sprint(i)}}})
	}
	briefs, err := admin.CreateMany(t.Context(), schemas.ConfigMaps, "default", objs)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range briefs {
		if b.Err() != nil || b.Name != schemas.Name(objs[i].GetName()) || b.UID == "" || b.ResourceVersion == "" {
			t.Fatalf("object %d: %+v", i, b)
		}
	}
	next, pages := 0, 0
	err = admin.Rows(t.Context(), schemas.ConfigMaps, "default", metav1.ListOptions{}, api.Table{Labels: []string{"n"}}, func(rows [][]string) error {
		pages++
		for _, row := range rows {
			if row[0] != "default" || row[1] != fmt.Sprintf("m%04d", next) || row[len(row)-1] != fmt.Sprint(next) {
				t.Fatalf("row %d is %q", next, row)
			}
			next++
		}
		return nil
	})
	if err != nil || next != api.MaxMany || pages < 2 {
		t.Errorf("%d rows in %d pages, %v", next, pages, err)
	}
}

// TestManyAreEachForThemselves: one that is refused does not take the others with it.
func TestManyAreEachForThemselves(t *testing.T) {
	_, admin := one(t)
	named := func(name string) schemas.Object {
		return &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	}
	briefs, err := admin.CreateMany(t.Context(), schemas.ConfigMaps, "default", []schemas.Object{named("a"), named("Not A Name"), named("a"), named("b")})
	if err != nil {
		t.Fatal(err)
	}
	if briefs[1].Err() == nil || briefs[3].Err() != nil || (briefs[0].Err() == nil) == (briefs[2].Err() == nil) {
		t.Errorf("created: %+v", briefs)
	}
	uid := briefs[3].UID
	wrong := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &briefs[3].UID}}
	other := uid + "x"
	wrong.Preconditions.UID = &other
	gone, err := admin.DeleteMany(t.Context(), schemas.ConfigMaps, "default", []api.Removal{{Name: "a"}, {Name: "none"}, {Name: "b", Delete: wrong}})
	if err != nil {
		t.Fatal(err)
	}
	if gone[0].Err() != nil || gone[1].Err() == nil || gone[2].Err() == nil {
		t.Errorf("deleted: %+v", gone)
	}
	left, _, err := admin.List(t.Context(), schemas.ConfigMaps, "default", metav1.ListOptions{})
	if err != nil || len(left) != 1 || left[0].GetName() != "b" {
		t.Errorf("left: %v, %v", left, err)
	}
}
