package outline

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/skerry/skerry/schemas"
)

// At returns what obj, an unstructured object, has at a path of names with dots between them;
// nil if there is nothing.
func At(obj schemas.Object, path string) any {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok || path == "" {
		return nil
	}
	v, ok, err := unstructured.NestedFieldNoCopy(u.Object, strings.Split(path, ".")...)
	if err != nil || !ok {
		return nil
	}
	return v
}

// Text is At as a field selector compares it: "" for nothing.
func Text(obj schemas.Object, path string) string {
	switch v := At(obj, path).(type) {
	case nil, map[string]any, []any:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}
