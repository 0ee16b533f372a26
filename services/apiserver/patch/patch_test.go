package patch

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/apiserver/codec"
)

const web = `{"metadata":{"name":"web","labels":{"a":"1"}},"spec":{"replicas":1,"template":{"spec":{"containers":[{"name":"c","image":"x:1"},{"name":"d","image":"y:1"}]}}}}`

func TestApply(t *testing.T) {
	for name, c := range map[string]struct {
		pt    types.PatchType
		patch string
		check func(*appsv1.Deployment) bool
	}{
		"json": {types.JSONPatchType, `[{"op":"test","path":"/spec/replicas","value":1},{"op":"replace","path":"/spec/replicas","value":3}]`,
			func(d *appsv1.Deployment) bool { return *d.Spec.Replicas == 3 }},
		"json copy": {types.JSONPatchType, `[{"op":"copy","from":"/metadata/labels/a","path":"/metadata/labels/b"}]`,
			func(d *appsv1.Deployment) bool { return d.Labels["b"] == "1" }},
		"merge": {types.MergePatchType, `{"metadata":{"labels":{"a":null,"b":"2"}}}`,
			func(d *appsv1.Deployment) bool { return len(d.Labels) == 1 && d.Labels["b"] == "2" }},
		"merge replaces lists": {types.MergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"x:2"}]}}}}`,
			func(d *appsv1.Deployment) bool { return len(d.Spec.Template.Spec.Containers) == 1 }},
		"strategic merges lists": {types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"x:2"}]}}}}`,
			func(d *appsv1.Deployment) bool {
				return len(d.Spec.Template.Spec.Containers) == 2 && d.Spec.Template.Spec.Containers[0].Image == "x:2"
			}},
		"strategic deletes": {types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"c","$patch":"delete"}]}}}}`,
			func(d *appsv1.Deployment) bool {
				return len(d.Spec.Template.Spec.Containers) == 1 && d.Spec.Template.Spec.Containers[0].Name == "d"
			}},
	} {
		out, err := Apply(c.pt, []byte(web), []byte(c.patch), &appsv1.Deployment{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var d appsv1.Deployment
		if err := json.Unmarshal(out, &d); err != nil || !c.check(&d) {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

func TestRefuses(t *testing.T) {
	var copies []string
	for range maxCopies + 1 {
		copies = append(copies, `{"op":"copy","from":"/metadata/name","path":"/metadata/labels/a"}`)
	}
	var bomb []string
	for i := range 60 {
		bomb = append(bomb, fmt.Sprintf(`{"op":"copy","from":"","path":"/x%d"}`, i))
	}
	for name, c := range map[string]struct {
		pt    types.PatchType
		patch string
	}{
		"json: failed test":     {types.JSONPatchType, `[{"op":"test","path":"/spec/replicas","value":9}]`},
		"json: no such path":    {types.JSONPatchType, `[{"op":"remove","path":"/spec/none"}]`},
		"json: not a list":      {types.JSONPatchType, `{}`},
		"json: null":            {types.JSONPatchType, `[null]`},
		"json: too many copies": {types.JSONPatchType, "[" + strings.Join(copies, ",") + "]"},
		"json: doubling":        {types.JSONPatchType, "[" + strings.Join(bomb, ",") + "]"},
		"merge: list":           {types.MergePatchType, `[]`},
		"merge: truncated":      {types.MergePatchType, `{"a":`},
		"strategic: no key":     {types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"image":"x"}]}}}}`},
		"deep":                  {types.MergePatchType, strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000)},
		"large":                 {types.MergePatchType, `{"a":"` + strings.Repeat("x", codec.MaxSize) + `"}`},
		"unknown":               {"application/x-patch", `{}`},
	} {
		_, err := Apply(c.pt, []byte(web), []byte(c.patch), &appsv1.Deployment{})
		if code := apierrors.ReasonForError(err); err == nil || err.(apierrors.APIStatus).Status().Code/100 != 4 {
			t.Errorf("%s: got %v (%s), want a client error", name, err, code)
		}
	}
}

func FuzzApply(f *testing.F) {
	f.Add(0, `[{"op":"copy","from":"","path":"/a"},{"op":"move","from":"/a","path":"/b/-"}]`)
	f.Add(1, `{"metadata":{"labels":{"a":null}},"spec":null}`)
	f.Add(2, `{"spec":{"$setElementOrder/containers":[{"name":"c"}],"containers":[{"name":"c","$patch":"replace"}],"$retainKeys":["x"]}}`)
	f.Add(2, `{"metadata":{"$deleteFromPrimitiveList/finalizers":["x"],"finalizers":["y"]}}`)
	kinds := []types.PatchType{types.JSONPatchType, types.MergePatchType, types.StrategicMergePatchType}
	doc := []byte(`{"metadata":{"name":"p","finalizers":["x"],"labels":{"a":"1"}},"spec":{"containers":[{"name":"c","image":"i"}],"volumes":[{"name":"v"}]}}`)
	f.Fuzz(func(t *testing.T, kind int, patch string) {
		out, err := Apply(kinds[uint(kind)%3], doc, []byte(patch), &v1.Pod{})
		if err == nil && len(out) > codec.MaxSize {
			t.Errorf("grew to %d bytes", len(out))
		}
	})
}
