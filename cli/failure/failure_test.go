package failure

import (
	"context"
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas/decode"
)

func TestCodeAndMessage(t *testing.T) {
	notFound := apierrors.NewNotFound(schema.GroupResource{Group: "apps", Resource: "deployments"}, "x")
	tooLow := field.Invalid(field.NewPath("spec", "replicas"), -1, "must be non-negative")
	required := field.Required(field.NewPath("spec", "selector"), "")
	deployment := schema.GroupKind{Group: "apps", Kind: "Deployment"}
	tests := []struct {
		name    string
		err     error
		code    int
		message string
	}{
		{"nothing", nil, 0, ""},
		{"a user's error", errors.New("no"), 1, "error: no"},
		{"usage", Usage("no %s", "x"), 2, "error: no x"},
		{"not found", notFound, 1, `Error from server (NotFound): deployments.apps "x" not found`},
		{"not found, from a file", FromFile(notFound, "applying", "a.yaml"), 1, `Error from server (NotFound): error when applying "a.yaml": deployments.apps "x" not found`},
		{"two", errors.Join(notFound, errors.New("no")), 1, "Error from server (NotFound): deployments.apps \"x\" not found\nerror: no"},
		{"invalid", apierrors.NewInvalid(deployment, "web", field.ErrorList{tooLow}), 1, `The Deployment "web" is invalid: spec.replicas: Invalid value: -1: must be non-negative`},
		{"invalid twice", apierrors.NewInvalid(deployment, "web", field.ErrorList{tooLow, required}), 1, "The Deployment \"web\" is invalid:\n* spec.replicas: Invalid value: -1: must be non-negative\n* spec.selector: Required value"},
		{"in a manifest", decode.Errors{{Source: "a.yaml", Line: 2, Column: 1, Message: "bad", Text: "x"}}, 1, "a.yaml:2:1: bad\n    2 | x\n      | ^"},
		{"time", fmt.Errorf("x: %w", ErrTimeout), 4, "error: x: timed out waiting for the condition"},
		{"deadline", context.DeadlineExceeded, 4, "error: context deadline exceeded"},
		{"remote", Remote(7), 7, "command terminated with exit code 7"},
		{"silent", Exit(1), 1, ""},
		{"interrupted", context.Canceled, 130, ""},
		{"an unknown reason", &apierrors.StatusError{ErrStatus: metav1.Status{Message: "hm"}}, 1, "Error from server: hm"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Code(tt.err); got != tt.code {
				t.Errorf("code %d, want %d", got, tt.code)
			}
			if got := Message(tt.err); got != tt.message {
				t.Errorf("message\n%s\nwant\n%s", got, tt.message)
			}
		})
	}
	if got := Code(fmt.Errorf("connect: %w", bus.ErrUnreachable)); got != CodeUnreachable {
		t.Errorf("unreachable: code %d", got)
	}
}
