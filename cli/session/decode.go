package session

import (
	"encoding/json"
	"fmt"

	"github.com/skerry/skerry/schemas"
)

// Decode reads an object of kind from the apiserver's JSON.
func Decode(kind *schemas.Kind, body []byte) (schemas.Object, error) {
	obj := kind.New()
	if err := json.Unmarshal(body, obj); err != nil {
		return nil, fmt.Errorf("read %s: %w", kind.Kind, err)
	}
	obj.GetObjectKind().SetGroupVersionKind(kind.GroupVersionKind())
	return obj, nil
}
