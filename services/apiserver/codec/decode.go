package codec

import (
	"bytes"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/share"
)

const (
	// MaxSize bounds an object's JSON, as etcd bounds Kubernetes' objects.
	MaxSize = 1536 << 10
	// MaxDepth bounds how deeply a body nests. The deepest built-in kind has some 20 levels.
	MaxDepth = 256
)

// Bound refuses data that is too large or too deep to be an object or a patch.
func Bound(data []byte) error {
	if len(data) > MaxSize {
		return apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("limit is %d bytes, got %d", MaxSize, len(data)))
	}
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return apierrors.NewBadRequest(fmt.Sprintf("the body is nested deeper than %d levels", MaxDepth))
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// Decode decodes data as an object of kind k. validation is the request's
// fieldValidation: Strict makes unknown and duplicate fields an error, Ignore drops
// them, anything else returns a warning for each.
func Decode(k *schemas.Kind, data []byte, validation string) (schemas.Object, []string, error) {
	if err := Bound(data); err != nil {
		return nil, nil, err
	}
	obj := k.New()
	var strict []error
	var err error
	if u, ok := obj.(*unstructured.Unstructured); ok {
		strict, err = untyped(k, data, u)
	} else {
		strict, err = unmarshal(data, obj, validation != "Ignore")
	}
	if err != nil {
		return nil, nil, malformed(k, err)
	}
	if err := checkKind(k, obj.GetObjectKind().GroupVersionKind()); err != nil {
		return nil, nil, err
	}
	obj.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind())
	warnings, err := fieldErrors(k, strict, validation)
	return obj, warnings, err
}

// podKind is how a Pod that was encoded by Go's types begins.
var podKind = []byte(`{"kind":"Pod","apiVersion":"v1",`)

// DecodeAlike is Decode of one of many that are alike, whose unknown fields nobody wants to
// know of: of a pod, what pool remembers is copied and not decoded again.
func DecodeAlike(k *schemas.Kind, data []byte, pool *share.Pool) (schemas.Object, error) {
	if pool == nil || k.Resource != schemas.Pods || !bytes.HasPrefix(data, podKind) {
		obj, _, err := Decode(k, data, metav1.FieldValidationIgnore)
		return obj, err
	}
	if err := Bound(data); err != nil {
		return nil, err
	}
	shared, err := pool.Pod(data)
	if err != nil {
		return nil, malformed(k, err)
	}
	pod := shared.DeepCopy()
	pod.SetGroupVersionKind(k.GroupVersionKind())
	return pod, nil
}

// Into decodes data into v (a Scale, Binding, Eviction, …) within the same bounds.
func Into(data []byte, v any) error {
	if err := Bound(data); err != nil {
		return err
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, v); err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("the body cannot be decoded: %v", err))
	}
	return nil
}

// unmarshal looks for unknown and duplicate fields only if somebody wants to know:
// that takes as long again.
func unmarshal(data []byte, obj schemas.Object, strictly bool) (strict []error, err error) {
	if !strictly {
		return nil, kjson.UnmarshalCaseSensitivePreserveInts(data, obj)
	}
	return kjson.UnmarshalStrict(data, obj)
}

// Malformed says that data is no object of its kind, and why. To clients it is a BadRequest.
type Malformed struct {
	*apierrors.StatusError
	Why error
}

// Unwrap makes the answer to clients known to errors.As.
func (m *Malformed) Unwrap() error { return m.StatusError }

func malformed(k *schemas.Kind, err error) error {
	text := fmt.Sprintf("%s in version %q cannot be handled as a %s: %v", k.Kind, k.Version, k.Kind, err)
	return &Malformed{StatusError: apierrors.NewBadRequest(text), Why: err}
}

// fieldErrors says what becomes of unknown and duplicate fields.
func fieldErrors(k *schemas.Kind, strict []error, validation string) ([]string, error) {
	if len(strict) == 0 || validation == "Ignore" {
		return nil, nil
	}
	var warnings []string
	text := "strict decoding error: "
	for i, e := range strict {
		if i > 0 {
			text += ", "
		}
		text += e.Error()
		warnings = append(warnings, e.Error())
	}
	if validation == "Strict" {
		return nil, malformed(k, fmt.Errorf("%s", text))
	}
	return warnings, nil
}

func checkKind(k *schemas.Kind, got schema.GroupVersionKind) error {
	want := k.GroupVersionKind()
	if got.Kind != want.Kind {
		return apierrors.NewBadRequest(fmt.Sprintf("the kind in the data (%s) does not match the expected kind (%s)", got.Kind, want.Kind))
	}
	if got.GroupVersion() != want.GroupVersion() {
		return apierrors.NewBadRequest(fmt.Sprintf("the API version in the data (%s) does not match the expected API version (%s)", got.GroupVersion(), want.GroupVersion()))
	}
	return nil
}

// Encode renders v for a reply.
func Encode(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode reply: %w", err)
	}
	return data, nil
}
