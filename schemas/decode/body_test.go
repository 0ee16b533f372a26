package decode_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/decode"
	"github.com/skerry/skerry/schemas/kinds"
)

func TestBody(t *testing.T) {
	const odd = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"nodeName":"n","nodeName":"m","Image":"x"},"extra":1}`
	problems := []string{`duplicate field "spec.nodeName"`, `unknown field "spec.Image"`, `unknown field "extra"`}
	tests := []struct {
		name, validation, body string
		warnings               []string
		err                    string
	}{
		{"good", "Strict", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}`, nil, ""},
		{"type meta from the request", "Strict", `{"metadata":{"name":"a"}}`, nil, ""},
		{"ignore", "Ignore", odd, nil, ""},
		{"warn", "Warn", odd, problems, ""},
		{"warn by default", "", odd, problems, ""},
		{"strict", "Strict", odd, nil, `strict decoding error: `},
		{"unknown validation", "Lax", odd, nil, `fieldValidation "Lax"`},
		{"other kind", "", `{"apiVersion":"v1","kind":"Node"}`, nil, "the object is a Node of v1, but the request is for a Pod of v1"},
		{"other group", "", `{"apiVersion":"apps/v1","kind":"Pod"}`, nil, "the object is a Pod of apps/v1, but"},
		{"wrong type", "", `{"spec":{"containers":[{"image":7}]}}`, nil, "decode Pod: spec.containers[0].image: expected string, got integer 7"},
		{"bad quantity", "", `{"spec":{"containers":[{"resources":{"limits":{"cpu":"x"}}}]}}`, nil, "spec.containers[0].resources.limits[cpu]: expected a quantity"},
		{"malformed", "", `{"spec":{`, nil, "not valid JSON"},
		{"not an object", "", `[]`, nil, "expected object, got list"},
		{"empty", "", ``, nil, "decode Pod"},
		{"null", "", `null`, nil, ""},
		{"deep", "", strings.Repeat(`{"a":`, 100_000), nil, "decode"},
	}
	kind := kinds.Table().ByResource(schemas.Pods)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			obj, warnings, err := decode.Body(kind, []byte(tt.body), tt.validation)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got error %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil || obj.GetObjectKind().GroupVersionKind() != kind.GroupVersionKind() {
				t.Fatalf("got %v, %v", obj, err)
			}
			if !reflect.DeepEqual(warnings, tt.warnings) {
				t.Errorf("got warnings %q, want %q", warnings, tt.warnings)
			}
		})
	}
}
