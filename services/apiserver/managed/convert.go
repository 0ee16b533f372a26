package managed

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/schemas"
)

// convertor is what the field manager needs to know of the kinds. Every kind has one
// version, so converting is at most decoding.
type convertor struct{ table *schemas.Table }

// scheme returns a scheme of the table's typed kinds.
func (c convertor) scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, k := range c.table.All() {
		obj := k.New()
		if _, ok := obj.(*unstructured.Unstructured); ok {
			continue
		}
		s.AddKnownTypeWithName(k.GroupVersionKind(), obj)
		metav1.AddToGroupVersion(s, k.GroupVersion())
	}
	return s
}

// to returns obj as k's own Go type.
func (c convertor) to(k *schemas.Kind, obj runtime.Object) (schemas.Object, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		o, ok := obj.(schemas.Object)
		if !ok {
			return nil, fmt.Errorf("convert %T: not an object", obj)
		}
		return o, nil
	}
	out := k.New()
	if dst, ok := out.(*unstructured.Unstructured); ok {
		dst.Object = u.Object
		return dst, nil
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, out); err != nil {
		return nil, err
	}
	return out, nil
}

// ConvertToVersion implements runtime.ObjectConvertor.
func (c convertor) ConvertToVersion(in runtime.Object, gv runtime.GroupVersioner) (runtime.Object, error) {
	gvk := in.GetObjectKind().GroupVersionKind()
	k := c.table.ByGVK(gvk)
	target, ok := gv.KindForGroupVersionKinds([]schema.GroupVersionKind{gvk})
	if k == nil || !ok || target != gvk {
		// A managedFields entry of a version that is not served: the field manager drops it.
		return nil, runtime.NewNotRegisteredErrForKind("skerry", gvk)
	}
	return c.to(k, in)
}

// Convert implements runtime.ObjectConvertor; the field manager does not use it.
func (c convertor) Convert(in, out, _ any) error {
	return fmt.Errorf("convert %T to %T: not supported", in, out)
}

// ConvertFieldLabel implements runtime.ObjectConvertor; the field manager does not use it.
func (c convertor) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}

// Default implements runtime.ObjectDefaulter.
func (c convertor) Default(in runtime.Object) {
	obj, ok := in.(schemas.Object)
	if !ok {
		return
	}
	if k := c.table.ByGVK(obj.GetObjectKind().GroupVersionKind()); k != nil && k.Default != nil {
		k.Default(obj)
	}
}

// New implements runtime.ObjectCreater.
func (c convertor) New(gvk schema.GroupVersionKind) (runtime.Object, error) {
	k := c.table.ByGVK(gvk)
	if k == nil {
		return nil, runtime.NewNotRegisteredErrForKind("skerry", gvk)
	}
	return k.New(), nil
}
