package apiserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
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

// TestManyAreAudited: what Pod Security has to say of pods that come together is in their one
// record, each text once.
func TestManyAreAudited(t *testing.T) {
	cl, c := one(t)
	must(c.Create(ctx(t), schemas.Namespaces, &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "watched", Labels: map[string]string{"pod-security.kubernetes.io/audit": "baseline"}}}))(t)
	records := make(chan []byte, 10)
	conn := cl.bus.Conn(t, "auditor")
	rctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = conn.Respond(rctx, bus.AuditSubject("admin", string(api.VerbCreateMany)), "test", 1, func(_ context.Context, _ string, data []byte) []byte {
			records <- data
			return nil
		})
	}()
	defer func() { cancel(); <-done }()
	several := func(prefix string) (objs []schemas.Object) {
		for i := range 3 {
			p := pod(fmt.Sprint(prefix, i))
			p.Namespace, p.Spec.HostPID = "watched", i < 2
			objs = append(objs, p)
		}
		return objs
	}
	i := 0
	eventually(t, func() error { // the auditor may not listen yet
		i++
		if _, err := c.CreateMany(t.Context(), schemas.Pods, "watched", several(fmt.Sprint("p", i, "-"))); err != nil {
			return err
		}
		select {
		case data := <-records:
			var r struct{ Note string }
			if err := json.Unmarshal(data, &r); err != nil || r.Note != `would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)` {
				t.Errorf("record %s, %v", data, err)
			}
			return nil
		default:
			return context.DeadlineExceeded
		}
	})
}
