package join

import (
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/skerry/skerry/schemas"
)

// asMap returns the part's content, or nil for none.
func asMap(o schemas.Object) map[string]any {
	if u, ok := o.(*unstructured.Unstructured); ok {
		return u.Object
	}
	return nil
}

// joinMaps is Join for objects without a Go type, which no agent has to do with.
func joinMaps(kind *schemas.Kind, desired *unstructured.Unstructured, current map[string]any) schemas.Object {
	out := shallowMap(desired)
	delete(field(out.Object, "metadata"), "resourceVersion")
	if status := field(current, "status"); len(status) > 0 {
		out.Object["status"] = status
	} else if kind.StatusWriter != schemas.StatusNone {
		delete(out.Object, "status")
	}
	return out
}

// shallowMap copies u's own fields and those of its metadata, and nothing below.
func shallowMap(u *unstructured.Unstructured) *unstructured.Unstructured {
	out := maps.Clone(u.Object)
	if meta := field(out, "metadata"); meta != nil {
		out["metadata"] = maps.Clone(meta)
	}
	return &unstructured.Unstructured{Object: out}
}

// field returns the map under name, or nil.
func field(m map[string]any, name string) map[string]any {
	f, _ := m[name].(map[string]any)
	return f
}
