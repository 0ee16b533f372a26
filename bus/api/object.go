package api

import (
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	sigsjson "sigs.k8s.io/json"

	"github.com/skerry/skerry/schemas"
)

// decodeObject decodes b as r's kind; a resource that the table does not have
// comes as Unstructured.
func decodeObject(table *schemas.Table, r schemas.Resource, b []byte) (schemas.Object, error) {
	if k := table.ByResource(r); k != nil {
		obj := k.New()
		if err := sigsjson.UnmarshalCaseSensitivePreserveInts(b, obj); err != nil {
			return nil, fmt.Errorf("decode %s: %w", k.Singular, err)
		}
		return obj, nil
	}
	obj := &unstructured.Unstructured{}
	if err := sigsjson.UnmarshalCaseSensitivePreserveInts(b, &obj.Object); err != nil {
		return nil, fmt.Errorf("decode %s: %w", r, err)
	}
	return obj, nil
}

// encodeObject renders obj with its kind, which typed objects often leave out.
func encodeObject(table *schemas.Table, r schemas.Resource, obj schemas.Object) ([]byte, error) {
	if k := table.ByResource(r); k != nil && obj.GetObjectKind().GroupVersionKind().Empty() {
		if whole, ok := obj.DeepCopyObject().(schemas.Object); ok {
			whole.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind())
			obj = whole
		}
	}
	b, err := json.Marshal(obj)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", r, err)
	}
	return b, nil
}

// listBody is the JSON of a list.
type listBody struct {
	metav1.ListMeta `json:"metadata"`
	Items           []json.RawMessage `json:"items"`
}

func decodeList(table *schemas.Table, r schemas.Resource, b []byte) ([]schemas.Object, metav1.ListMeta, error) {
	var l listBody
	if err := json.Unmarshal(b, &l); err != nil {
		return nil, l.ListMeta, fmt.Errorf("decode list of %s: %w", r, err)
	}
	objs := make([]schemas.Object, 0, len(l.Items))
	for _, item := range l.Items {
		obj, err := decodeObject(table, r, item)
		if err != nil {
			return nil, l.ListMeta, err
		}
		objs = append(objs, obj)
	}
	return objs, l.ListMeta, nil
}

// kindOf is the kind in the table whose Go type obj has.
func kindOf(table *schemas.Table, obj schemas.Object) schema.GroupVersionKind {
	if k := table.ByType(obj); k != nil {
		return k.GroupVersionKind()
	}
	return schema.GroupVersionKind{}
}
