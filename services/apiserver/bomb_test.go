package apiserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/schemas"
)

// TestBombs: documents that are built to be hard to read are the client's mistake in every
// verb, and the apiserver goes on.
func TestBombs(t *testing.T) {
	_, admin := one(t)
	must(admin.Create(ctx(t), schemas.ConfigMaps, &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: "default"}, Data: map[string]string{"a": "b"}}))(t)
	const deep = 700_000
	nested := strings.Repeat(`[`, deep) + strings.Repeat(`]`, deep)
	maps := strings.Repeat(`{"a":`, deep/2) + "1" + strings.Repeat(`}`, deep/2)
	whole := func(inner string) string {
		return fmt.Sprintf(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"default"},"data":%s}`, inner)
	}
	for what, inner := range map[string]string{"lists": nested, "maps": maps} {
		for name, r := range map[string]api.Request{
			"create":    {Verb: api.VerbCreate, Body: []byte(whole(inner))},
			"update":    {Verb: api.VerbUpdate, Name: "a", Body: []byte(whole(inner))},
			"merge":     {Verb: api.VerbPatch, Name: "a", PatchType: types.MergePatchType, Body: []byte(whole(inner))},
			"strategic": {Verb: api.VerbPatch, Name: "a", PatchType: types.StrategicMergePatchType, Body: []byte(whole(inner))},
			"apply":     {Verb: api.VerbPatch, Name: "a", PatchType: types.ApplyYAMLPatchType, FieldManager: "m", Body: []byte(whole(inner))},
			"json":      {Verb: api.VerbPatch, Name: "a", PatchType: types.JSONPatchType, Body: []byte(`[{"op":"add","path":"/data/x","value":` + inner + `}]`)},
		} {
			r.Resource, r.Namespace = schemas.ConfigMaps, "default"
			_, err := admin.Do(ctx(t), &r)
			if code := status.Of(err).Code; err == nil || code < http.StatusBadRequest || code >= http.StatusInternalServerError {
				t.Errorf("%s of deep %s: %.300v", name, what, err)
			}
		}
	}
	// Each step copies what is there: the document would double sixty times.
	steps := []string{`{"op":"add","path":"/data/x","value":"0123456789"}`}
	for i := range 60 {
		steps = append(steps, fmt.Sprintf(`{"op":"copy","from":"/data","path":"/data/y%d"}`, i))
	}
	_, err := admin.Do(ctx(t), &api.Request{
		Verb: api.VerbPatch, Resource: schemas.ConfigMaps, Namespace: "default", Name: "a", PatchType: types.JSONPatchType,
		Body: []byte("[" + strings.Join(steps, ",") + "]"),
	})
	if code := status.Of(err).Code; err == nil || code < http.StatusBadRequest || code >= http.StatusInternalServerError {
		t.Errorf("copies of copies: %.300v", err)
	}
	if _, err := admin.Get(ctx(t), cmRef("a")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
