// Package body turns the bodies that clients send into JSON, the bus's form. Pure.
//
// What always holds: what comes out is no longer than a constant times what came in, however
// it was built; anything that is not a document is a BadRequest.
package body

import (
	"bytes"
	"encoding/json"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/skerry/skerry/schemas"
)

const (
	// Max is the most bytes of a body, as in Kubernetes.
	Max = 3 << 20
	// maxAliases bounds how often a YAML document refers to itself.
	maxAliases = 100
)

// FromYAML returns the JSON of a YAML document; JSON is YAML. Strict refuses keys that
// are there twice.
func FromYAML(raw []byte, strict bool) ([]byte, error) {
	if t := bytes.TrimLeft(raw, " \t\r\n"); len(t) > 0 && t[0] == '{' && json.Valid(t) {
		return raw, nil
	}
	if aliases(raw) > maxAliases {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the YAML document has more than %d aliases", maxAliases))
	}
	convert := yaml.YAMLToJSON
	if strict {
		convert = yaml.YAMLToJSONStrict
	}
	out, err := convert(raw)
	if err != nil {
		return nil, apierrors.NewBadRequest("the body is no YAML document: " + err.Error())
	}
	if len(out) > 2*Max {
		return nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("the document has %d bytes", len(out)))
	}
	return out, nil
}

// aliases counts what could be one: too many is refused, too few costs nothing, as the
// result is bounded too.
func aliases(raw []byte) int {
	n := 0
	for i, c := range raw {
		if c == '*' && (i == 0 || bytes.IndexByte([]byte(" \t\n\r[{,:-"), raw[i-1]) >= 0) {
			n++
		}
	}
	return n
}

// magic is what Kubernetes' protobuf bodies begin with.
var magic = []byte{'k', '8', 's', 0}

// wire is what k8s.io/api's types have beside JSON.
type wire interface {
	runtime.Object
	Unmarshal(data []byte) error
}

// others are the kinds that clients send and that no table has: they are stored nowhere.
func others(gvk schema.GroupVersionKind) runtime.Object {
	switch gvk.GroupKind() {
	case schema.GroupKind{Group: "autoscaling", Kind: "Scale"}:
		return &autoscalingv1.Scale{}
	case schema.GroupKind{Group: "policy", Kind: "Eviction"}:
		return &policyv1.Eviction{}
	case schema.GroupKind{Kind: "Binding"}:
		return &corev1.Binding{}
	case schema.GroupKind{Group: "authentication.k8s.io", Kind: "TokenRequest"}:
		return &authenticationv1.TokenRequest{}
	case schema.GroupKind{Group: "authentication.k8s.io", Kind: "TokenReview"}:
		return &authenticationv1.TokenReview{}
	case schema.GroupKind{Group: "authentication.k8s.io", Kind: "SelfSubjectReview"}:
		return &authenticationv1.SelfSubjectReview{}
	case schema.GroupKind{Group: "authorization.k8s.io", Kind: "SubjectAccessReview"}:
		return &authorizationv1.SubjectAccessReview{}
	case schema.GroupKind{Group: "authorization.k8s.io", Kind: "LocalSubjectAccessReview"}:
		return &authorizationv1.LocalSubjectAccessReview{}
	case schema.GroupKind{Group: "authorization.k8s.io", Kind: "SelfSubjectAccessReview"}:
		return &authorizationv1.SelfSubjectAccessReview{}
	case schema.GroupKind{Group: "authorization.k8s.io", Kind: "SelfSubjectRulesReview"}:
		return &authorizationv1.SelfSubjectRulesReview{}
	}
	if gvk.Kind == "DeleteOptions" { // of any group
		return &metav1.DeleteOptions{}
	}
	return nil
}

// FromProtobuf returns the JSON of an object in Kubernetes' protobuf form.
func FromProtobuf(raw []byte, table *schemas.Table) (out []byte, err error) {
	defer func() {
		if p := recover(); p != nil { // generated code, fed by strangers
			out, err = nil, apierrors.NewBadRequest(fmt.Sprintf("the protobuf body cannot be decoded: %v", p))
		}
	}()
	data, ok := bytes.CutPrefix(raw, magic)
	if !ok {
		return nil, apierrors.NewBadRequest("the body does not begin as Kubernetes' protobuf form does")
	}
	var u runtime.Unknown
	if err := u.Unmarshal(data); err != nil {
		return nil, apierrors.NewBadRequest("the protobuf body cannot be decoded: " + err.Error())
	}
	gvk := schema.FromAPIVersionAndKind(u.APIVersion, u.Kind)
	obj := others(gvk)
	if k := table.ByGVK(gvk); k != nil {
		obj = k.New()
	}
	typed, ok := obj.(wire)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("no kind %q is registered for version %q", u.Kind, u.APIVersion))
	}
	if err := typed.Unmarshal(u.Raw); err != nil {
		return nil, apierrors.NewBadRequest("the protobuf body cannot be decoded: " + err.Error())
	}
	typed.GetObjectKind().SetGroupVersionKind(gvk)
	if out, err = json.Marshal(typed); err != nil {
		return nil, apierrors.NewBadRequest("the protobuf body holds no object: " + err.Error())
	}
	return out, nil
}
