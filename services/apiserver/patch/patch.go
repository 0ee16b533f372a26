package patch

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/mergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/codec"
)

const (
	// maxOperations is Kubernetes' bound of a JSON patch.
	maxOperations = 10000
	// maxCopies bounds what "copy" can do: each one may double the document.
	maxCopies = 100
)

// Apply returns the JSON of doc, an object of the Go type of like, with patch applied.
func Apply(pt types.PatchType, doc, patch []byte, like schemas.Object) ([]byte, error) {
	if err := codec.Bound(patch); err != nil {
		return nil, err
	}
	var out []byte
	var err error
	switch pt {
	case types.JSONPatchType:
		out, err = jsonPatch(doc, patch)
	case types.MergePatchType:
		out, err = mergePatch(doc, patch)
	case types.StrategicMergePatchType:
		out, err = strategic(doc, patch, like)
	default:
		err = Unsupported(pt)
	}
	if err != nil {
		return nil, err
	}
	return out, codec.Bound(out)
}

// Unsupported is the answer to a patch of an unknown type, or of one that the kind
// does not have.
func Unsupported(pt types.PatchType) error {
	return apierrors.NewGenericServerResponse(http.StatusUnsupportedMediaType, "patch", schema.GroupResource{}, "",
		fmt.Sprintf("the body of the request was in an unknown format: %q", pt), 0, false)
}

// Unfit is the answer to a patch whose result, out, could not be decoded into an object like this one for
// the reason err. As in Kubernetes, which decodes what a strategic merge patch makes by another way than JSON.
func Unfit(pt types.PatchType, out, patch []byte, like schemas.Object, err error) error {
	var wrong *codec.Malformed
	if !errors.As(err, &wrong) {
		return err
	}
	value, why := string(out), wrong.Why.Error()
	if pt == types.StrategicMergePatchType {
		var sent, result map[string]any
		_, _ = kjson.UnmarshalCaseSensitivePreserveInts(patch, &sent), kjson.UnmarshalCaseSensitivePreserveInts(out, &result) // both were decoded before
		value = fmt.Sprintf("%+v", sent)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(result, like); err != nil {
			why = err.Error()
		}
	}
	return apierrors.NewInvalid(schema.GroupKind{}, "", field.ErrorList{field.Invalid(field.NewPath("patch"), value, why)})
}

func unprocessable(err error) error {
	return apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
}

func jsonPatch(doc, patch []byte) ([]byte, error) {
	ops, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
	}
	if len(ops) > maxOperations {
		return nil, apierrors.NewRequestEntityTooLargeError(
			fmt.Sprintf("The allowed maximum operations in a JSON patch is %d, got %d", maxOperations, len(ops)))
	}
	copies := 0
	for start := 0; start < len(ops); {
		end := start + 1
		for end < len(ops) && ops[end].Kind() != "copy" {
			end++
		}
		if ops[start].Kind() == "copy" {
			if copies++; copies > maxCopies {
				return nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("a JSON patch may hold at most %d copy operations", maxCopies))
			}
		}
		// A run has at most one copy, so the document at most doubles before it is measured.
		if doc, err = applyRun(ops[start:end], doc); err != nil {
			return nil, err
		}
		if err := codec.Bound(doc); err != nil {
			return nil, err
		}
		start = end
	}
	return doc, nil
}

// applyRun applies ops. The library panics on some malformed operations.
func applyRun(ops jsonpatch.Patch, doc []byte) (out []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = apierrors.NewBadRequest(fmt.Sprintf("the JSON patch cannot be applied: %v", r))
		}
	}()
	out, err = ops.Apply(doc)
	if err != nil {
		return nil, unprocessable(err)
	}
	return out, nil
}

func mergePatch(doc, patch []byte) ([]byte, error) {
	var p map[string]any
	if err := json.Unmarshal(patch, &p); err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
	}
	out, err := jsonpatch.MergePatch(doc, patch)
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error applying merge patch: %v", err))
	}
	return out, nil
}

func strategic(doc, patch []byte, like schemas.Object) (out []byte, err error) {
	if _, ok := like.(*unstructured.Unstructured); ok {
		return nil, Unsupported(types.StrategicMergePatchType)
	}
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, apierrors.NewBadRequest(fmt.Sprintf("the strategic merge patch cannot be applied: %v", r))
		}
	}()
	out, err = strategicpatch.StrategicMergePatch(doc, patch, like)
	switch {
	case err == nil:
		return out, nil
	case errors.Is(err, mergepatch.ErrBadJSONDoc), errors.Is(err, mergepatch.ErrBadPatchFormatForPrimitiveList),
		errors.Is(err, mergepatch.ErrBadPatchFormatForRetainKeys), errors.Is(err, mergepatch.ErrBadPatchFormatForSetElementOrderList),
		errors.Is(err, mergepatch.ErrUnsupportedStrategicMergePatchFormat):
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return nil, unprocessable(err)
}
