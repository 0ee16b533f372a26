package apply

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/mergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/skerry/skerry/schemas"
)

// AnnotationLastApplied holds what was last applied: the base of the three-way merge.
// The name is kubectl's, so that both tools can manage an object in turn.
const AnnotationLastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// Annotated returns content with itself, as JSON, in the annotation.
func Annotated(content map[string]any) (map[string]any, error) {
	u := (&unstructured.Unstructured{Object: content}).DeepCopy()
	annotations, _, err := unstructured.NestedMap(u.Object, "metadata", "annotations")
	if err != nil {
		return nil, fmt.Errorf("read annotations: %w", err)
	}
	if annotations == nil {
		annotations = map[string]any{}
	}
	delete(annotations, AnnotationLastApplied)
	// An empty map stays in the text: kubectl's has it, and so both compare equal.
	if err := unstructured.SetNestedMap(u.Object, annotations, "metadata", "annotations"); err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	b, err := json.Marshal(u.Object)
	if err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	annotations[AnnotationLastApplied] = string(b) + "\n"
	if err := unstructured.SetNestedMap(u.Object, annotations, "metadata", "annotations"); err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	return u.Object, nil
}

// patchType is how objects of kind are patched: without a Go type nothing says which lists are merged.
func patchType(kind *schemas.Kind) types.PatchType {
	if schemas.IsUntyped(kind.New()) {
		return types.MergePatchType
	}
	return types.StrategicMergePatchType
}

// threeWay computes the patch, of the kind's patchType, that brings current to modified, and
// removes what was in the last applied configuration and is no longer wanted. Fields
// that others set stay. "{}" means that there is nothing to do.
func threeWay(kind *schemas.Kind, modified, current map[string]any) ([]byte, error) {
	last := (&unstructured.Unstructured{Object: current}).GetAnnotations()[AnnotationLastApplied]
	mod, err := json.Marshal(modified)
	if err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	cur, err := json.Marshal(current)
	if err != nil {
		return nil, fmt.Errorf("encode object: %w", err)
	}
	fixed := []mergepatch.PreconditionFunc{
		mergepatch.RequireKeyUnchanged("apiVersion"),
		mergepatch.RequireKeyUnchanged("kind"),
		mergepatch.RequireMetadataKeyUnchanged("name"),
	}
	if patchType(kind) == types.MergePatchType {
		patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch([]byte(last), mod, cur, fixed...)
		if err != nil {
			return nil, fmt.Errorf("compare %s with what is stored: %w", kind.Kind, err)
		}
		return patch, nil
	}
	meta, err := strategicpatch.NewPatchMetaFromStruct(kind.New())
	if err != nil {
		return nil, fmt.Errorf("compare %s: %w", kind.Kind, err)
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch([]byte(last), mod, cur, meta, true, fixed...)
	if err != nil {
		return nil, fmt.Errorf("compare %s with what is stored: %w", kind.Kind, err)
	}
	return patch, nil
}
