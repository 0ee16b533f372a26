package apiserver_test

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// TestActingForOthers: who may name the user that a request is for, and that it then
// counts as that user's.
func TestActingForOthers(t *testing.T) {
	c, _ := one(t)
	masters := []string{"system:masters", "system:authenticated"}
	ann := &api.Identity{User: "ann", Groups: []string{"system:authenticated"}}
	boss := &api.Identity{User: "boss", Groups: masters}
	tests := []struct {
		conn            bus.User
		as, impersonate *api.Identity
		ok              bool
	}{
		{"system:gateway", nil, nil, false},
		{"system:gateway", ann, nil, false},
		{"system:gateway", boss, nil, true},
		{"system:gateway", &api.Identity{User: "admin"}, nil, true},
		{"system:gateway", &api.Identity{}, nil, false},
		{"system:gateway", ann, boss, false},
		{"system:gateway", ann, &api.Identity{User: "ann", Groups: []string{"system:masters"}}, false},
		{"system:gateway", boss, ann, false},
		{"system:gateway", boss, &api.Identity{User: "zoe", Groups: []string{"system:masters"}}, true},
		{"system:gateway", nil, boss, false},
		{"admin", boss, nil, true},
		{"admin", ann, nil, false},
		{"admin", nil, ann, false},
		{"admin", nil, nil, true},
		{"ann", boss, nil, false},
		{"ann", nil, boss, false},
		{"system:node:n1", boss, nil, false},
		{"system:scheduler", boss, nil, false},
	}
	for _, tt := range tests {
		client := c.client(t, tt.conn)
		_, err := client.Do(ctx(t), &api.Request{Verb: api.VerbList, Resource: schemas.Secrets, As: tt.as, Impersonate: tt.impersonate})
		if tt.ok && err != nil || !tt.ok && !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) {
			t.Errorf("%s as %+v, %+v: %v", tt.conn, tt.as, tt.impersonate, err)
		}
		w, err := client.OpenWatch(ctx(t), &api.Request{Resource: schemas.Secrets, List: &metav1.ListOptions{}, As: tt.as, Impersonate: tt.impersonate})
		if err == nil {
			w.Close()
		}
		if tt.ok && err != nil || !tt.ok && !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) {
			t.Errorf("watch by %s as %+v, %+v: %v", tt.conn, tt.as, tt.impersonate, err)
		}
	}
}

// TestHistorySaysForWhom: what is kept of a change names the user, not the gateway.
func TestHistorySaysForWhom(t *testing.T) {
	c, admin := one(t)
	boss := &api.Identity{User: "boss", Groups: []string{"system:masters"}}
	body := []byte(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"default"}}`)
	if _, err := c.client(t, "system:gateway").Do(ctx(t), &api.Request{
		Verb: api.VerbCreate, Resource: schemas.ConfigMaps, Namespace: "default", Body: body, As: boss,
	}); err != nil {
		t.Fatal(err)
	}
	revisions, err := admin.History(ctx(t), cmRef("a"))
	if err != nil || len(revisions) != 1 || revisions[0].User != "boss" {
		t.Errorf("history %+v, %v", revisions, err)
	}
}
