package remote

import (
	"encoding/json"
	"fmt"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Of the Status of a command that failed: as Kubernetes' remotecommand has them.
const (
	reasonNonZero = metav1.StatusReason("NonZeroExitCode")
	causeExitCode = metav1.CauseType("ExitCode")
)

// Outcome is how a command ended, as remotecommand's Status.
func Outcome(code int, err error) metav1.Status {
	switch {
	case err != nil:
		return apierrors.NewInternalError(fmt.Errorf("error executing command in container: %w", err)).Status()
	case code == 0:
		return metav1.Status{Status: metav1.StatusSuccess}
	}
	return metav1.Status{
		Status: metav1.StatusFailure, Reason: reasonNonZero,
		Message: fmt.Sprintf("command terminated with non-zero exit code: exit status %d", code),
		Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: causeExitCode, Message: strconv.Itoa(code)}}},
	}
}

// ExitCode reads the payload of an Error frame: the code of a command that ran, or
// why there is none.
func ExitCode(data []byte) (int, error) {
	var st metav1.Status
	if err := json.Unmarshal(data, &st); err != nil {
		return 0, fmt.Errorf("read exit status: %w", err)
	}
	if st.Status == metav1.StatusSuccess {
		return 0, nil
	}
	if st.Details != nil {
		for _, c := range st.Details.Causes {
			if c.Type != causeExitCode {
				continue
			}
			code, err := strconv.Atoi(c.Message)
			if err != nil {
				return 0, fmt.Errorf("read exit status: %w", err)
			}
			return code, nil
		}
	}
	return 0, &apierrors.StatusError{ErrStatus: st}
}
