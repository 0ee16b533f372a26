package status

import (
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestRoundTrip(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	for name, c := range map[string]struct {
		err error
		is  func(error) bool
	}{
		"status":  {apierrors.NewNotFound(pods, "web"), apierrors.IsNotFound},
		"wrapped": {fmt.Errorf("deep: %w", apierrors.NewConflict(pods, "web", errors.New("moved on"))), apierrors.IsConflict},
		"plain":   {errors.New("the disk is on fire"), apierrors.IsInternalError},
	} {
		got := Decode(Encode(c.err))
		if !c.is(got) || got.Error() != Of(c.err).Message {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestGarbage(t *testing.T) {
	for _, b := range []string{"", "{", "{}", "[]", "null", `{"kind":"Pod"}`} {
		if err := Decode([]byte(b)); !apierrors.IsInternalError(err) {
			t.Errorf("%q: got %v", b, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode(errors.New("x")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if Decode(b) == nil {
			t.Fatal("success")
		}
	})
}
