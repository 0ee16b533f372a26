// Package status carries errors over the bus as the JSON of Kubernetes' Status.
//
// It does no I/O. What always holds: a Status error comes out as it went in; any
// other error becomes an InternalError with its text; bytes that are no Status become
// an InternalError too, never a panic and never success.
package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Of returns err's Status. An error that has none becomes an InternalError.
func Of(err error) metav1.Status {
	var has apierrors.APIStatus
	if errors.As(err, &has) {
		return complete(has.Status())
	}
	return complete(apierrors.NewInternalError(err).Status())
}

// Encode renders err's Status as JSON.
func Encode(err error) []byte {
	b, jerr := json.Marshal(Of(err))
	if jerr != nil { // no field of Status can fail
		panic(fmt.Sprintf("status: encode %v: %v", err, jerr))
	}
	return b
}

// Decode returns the error that Encode was given, as a *errors.StatusError.
func Decode(b []byte) error {
	var s metav1.Status
	if err := json.Unmarshal(b, &s); err != nil {
		return apierrors.NewInternalError(fmt.Errorf("decode status: %w", err))
	}
	if s.Kind != "Status" && s.Reason == "" && s.Code == 0 {
		return apierrors.NewInternalError(errors.New("decode status: not a Status"))
	}
	return &apierrors.StatusError{ErrStatus: complete(s)}
}

// complete fills in what every Status on the wire has.
func complete(s metav1.Status) metav1.Status {
	s.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	s.Status = metav1.StatusFailure
	if s.Code == 0 {
		s.Code = http.StatusInternalServerError
	}
	return s
}
