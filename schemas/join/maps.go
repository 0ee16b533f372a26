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
	out := maps.Clone(desired.Object)
	meta := maps.Clone(field(out, "metadata"))
	delete(meta, "resourceVersion")
	out["metadata"] = meta
	status := field(current, "status")
	if kind.StatusWriter == schemas.StatusNone {
		return &unstructured.Unstructured{Object: out}
	}
	delete(out, "status")
	if len(status) > 0 {
		out["status"] = status
	}
	return &unstructured.Unstructured{Object: out}
}

// field returns the map under name, or nil.
func field(m map[string]any, name string) map[string]any {
	f, _ := m[name].(map[string]any)
	return f
}
