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

// joinMaps is Join for objects without a Go type.
func joinMaps(kind *schemas.Kind, desired *unstructured.Unstructured, assigned, observed, current map[string]any) schemas.Object {
	out := maps.Clone(desired.Object)
	meta := maps.Clone(field(out, "metadata"))
	delete(meta, "resourceVersion")
	out["metadata"] = meta
	var status map[string]any
	switch {
	case kind.Resource == schemas.Pods:
		if node := field(assigned, "spec")["nodeName"]; node != nil {
			spec := cloned(field(out, "spec"))
			spec["nodeName"] = node
			out["spec"] = spec
		}
		status = podStatus(assigned, observed, current)
	case kind.Resource == schemas.Nodes:
		status = cloned(field(observed, "status"))
		overlayMaps(status, field(current, "status"))
	case kind.StatusWriter == schemas.StatusNone:
		return &unstructured.Unstructured{Object: out}
	default:
		status = field(current, "status")
	}
	delete(out, "status")
	if len(status) > 0 {
		out["status"] = status
	}
	return &unstructured.Unstructured{Object: out}
}

func podStatus(assigned, observed, current map[string]any) map[string]any {
	status := cloned(field(observed, "status"))
	if field(assigned, "spec")["nodeName"] != nil {
		placed := map[string]any{"conditions": []any{map[string]any{"type": "PodScheduled", "status": "True"}}}
		overlayMaps(placed, status)
		status["conditions"] = placed["conditions"]
	}
	overlayMaps(status, onlyScheduled(field(assigned, "status")))
	over := field(current, "status")
	overlayMaps(status, over)
	if over["phase"] != nil {
		for _, k := range []string{"phase", "reason", "message"} {
			delete(status, k)
			if over[k] != nil {
				status[k] = over[k]
			}
		}
	}
	if status["phase"] == nil {
		status["phase"] = "Pending"
	}
	return status
}

func onlyScheduled(status map[string]any) map[string]any {
	conditions, _ := status["conditions"].([]any)
	for _, c := range conditions {
		if conditionType(c) == "PodScheduled" {
			return map[string]any{"conditions": []any{c}}
		}
	}
	return nil
}

// overlayMaps replaces status' conditions by over's, type by type.
func overlayMaps(status, over map[string]any) {
	add, _ := over["conditions"].([]any)
	if len(add) == 0 {
		return
	}
	base, _ := status["conditions"].([]any)
	status["conditions"] = overlay(base, add, conditionType)
}

func conditionType(c any) string {
	m, _ := c.(map[string]any)
	t, _ := m["type"].(string)
	return t
}

// field returns the map under name, or nil.
func field(m map[string]any, name string) map[string]any {
	f, _ := m[name].(map[string]any)
	return f
}

// cloned is a copy of m's first level, never nil.
func cloned(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return maps.Clone(m)
}
