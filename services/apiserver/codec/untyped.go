package codec

import (
	"encoding/json"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/outline"
)

// untyped decodes data into u, of kind k, which has no Go type. What k's schema does not name is left
// out; that is the same whether or not somebody wants to know, for it decides what is stored.
func untyped(k *schemas.Kind, data []byte, u *unstructured.Unstructured) (strict []error, err error) {
	var content map[string]any
	strict, err = kjson.UnmarshalStrict(data, &content)
	if err != nil {
		return nil, err
	}
	if content == nil {
		return nil, errors.New("there is no object")
	}
	for _, name := range []string{"apiVersion", "kind"} {
		if _, ok := content[name].(string); !ok {
			delete(content, name) // the kind that is missing is told of
		}
	}
	u.Object = content
	unknown, err := metadata(content)
	if err != nil {
		return nil, err
	}
	if _, has := content[bus.WrittenBy]; has {
		delete(content, bus.WrittenBy)
		unknown = append(unknown, fmt.Errorf("unknown field %q", bus.WrittenBy))
	}
	for _, path := range outline.Prune(content, k.Schema) {
		unknown = append(unknown, fmt.Errorf("unknown field %q", path))
	}
	return append(strict, unknown...), nil
}

// metadata makes content's metadata what Go's type has of them: it is read by that everywhere.
func metadata(content map[string]any) (unknown []error, err error) {
	if content["metadata"] == nil {
		content["metadata"] = map[string]any{}
		return nil, nil
	}
	text, err := json.Marshal(content["metadata"])
	if err != nil {
		return nil, err
	}
	var whole struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
	}
	unknown, err = kjson.UnmarshalStrict(fmt.Appendf(nil, `{"metadata":%s}`, text), &whole)
	if err != nil {
		return nil, err
	}
	content["metadata"], err = runtime.DefaultUnstructuredConverter.ToUnstructured(&whole.Metadata)
	return unknown, err
}
