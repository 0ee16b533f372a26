package join

import (
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/skerry/skerry/schemas"
)

// isNil sees through a nil pointer in the interface.
func isNil(o schemas.Object) bool {
	if o == nil {
		return true
	}
	v := reflect.ValueOf(o)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// shallow copies the struct that o points to, and nothing below.
func shallow(o schemas.Object) schemas.Object {
	v := reflect.New(reflect.TypeOf(o).Elem())
	v.Elem().Set(reflect.ValueOf(o).Elem())
	out, _ := v.Interface().(schemas.Object) // the type is o's
	return out
}

func statusOf(o schemas.Object) reflect.Value {
	return reflect.ValueOf(o).Elem().FieldByName("Status")
}

// copyStatus sets out's status to from's, or to nothing if from is nil.
func copyStatus(out, from schemas.Object) {
	to := statusOf(out)
	if !to.IsValid() {
		return
	}
	to.SetZero()
	if isNil(from) || reflect.TypeOf(from) != reflect.TypeOf(out) {
		return
	}
	to.Set(statusOf(from))
}

// As returns obj with another resourceVersion. It shares with obj all that it does not
// change.
func As(obj schemas.Object, version string) schemas.Object {
	var out schemas.Object
	if u, ok := obj.(*unstructured.Unstructured); ok {
		out = shallowMap(u)
	} else {
		out = shallow(obj)
	}
	out.SetResourceVersion(version)
	return out
}

// Desired returns obj without its status and resourceVersion: what is stored under
// desired. It shares the rest with obj.
func Desired(kind *schemas.Kind, obj schemas.Object) schemas.Object {
	out := As(obj, "")
	if kind.StatusWriter == schemas.StatusNone {
		return out
	}
	if u, ok := out.(*unstructured.Unstructured); ok {
		delete(u.Object, "status")
		return out
	}
	copyStatus(out, nil)
	return out
}

// StatusOnly returns obj's kind, name, namespace, uid and status: what is stored
// under observed and current.
func StatusOnly(kind *schemas.Kind, obj schemas.Object) schemas.Object {
	from, _ := obj.DeepCopyObject().(schemas.Object) // the type is obj's
	var out schemas.Object
	if u, ok := from.(*unstructured.Unstructured); ok {
		o := map[string]any{}
		if status, ok := u.Object["status"]; ok {
			o["status"] = status
		}
		out = &unstructured.Unstructured{Object: o}
	} else {
		out, _ = reflect.New(reflect.TypeOf(from).Elem()).Interface().(schemas.Object) // the type is obj's
		copyStatus(out, from)
	}
	out.GetObjectKind().SetGroupVersionKind(kind.GroupVersionKind())
	out.SetName(from.GetName())
	if from.GetNamespace() != "" {
		out.SetNamespace(from.GetNamespace())
	}
	out.SetUID(from.GetUID())
	return out
}
