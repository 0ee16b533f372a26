package failure

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas/decode"
)

// Message returns what to print on stderr about err, in kubectl's words where
// kubectl has them; "" for nothing.
func Message(err error) string {
	var exit Exit
	var r remote
	switch {
	case err == nil, errors.As(err, &exit), errors.Is(err, context.Canceled):
		return ""
	case errors.As(err, &r):
		return r.Error()
	case errors.Is(err, bus.ErrUnreachable):
		return "error: " + err.Error() + "\n" +
			"Is the cluster running? Start one on this machine with `skerry up`, or choose another:\n" +
			"`skerry config get-contexts` lists the contexts, `skerry config use-context NAME` switches."
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok && isJoin(err) {
		var lines []string
		for _, e := range joined.Unwrap() {
			if m := Message(e); m != "" {
				lines = append(lines, m)
			}
		}
		return strings.Join(lines, "\n")
	}
	var located decode.Errors
	if errors.As(err, &located) {
		return located.Error()
	}
	var api apierrors.APIStatus
	if errors.As(err, &api) {
		return status(err, api.Status())
	}
	return "error: " + strings.TrimPrefix(err.Error(), "error: ")
}

// isJoin tells errors.Join's errors from fmt.Errorf's with several %w: only the
// former are nothing but the sum of their parts.
func isJoin(err error) bool { return fmt.Sprintf("%T", err) == "*errors.joinError" }

func status(err error, st metav1.Status) string {
	prefix := "Error from server"
	if st.Reason == metav1.StatusReasonInvalid && st.Details != nil {
		return invalid(st)
	}
	if st.Reason != metav1.StatusReasonUnknown {
		prefix += fmt.Sprintf(" (%s)", st.Reason)
	}
	msg := st.Message
	var src source
	if errors.As(err, &src) {
		msg = fmt.Sprintf("error when %s %q: %s", src.verb, src.file, msg)
	}
	return prefix + ": " + msg
}

// invalid prints the causes one by one; the message would repeat them in one line.
func invalid(st metav1.Status) string {
	head := "The request is invalid"
	if st.Details.Kind != "" {
		head = fmt.Sprintf("The %s %q is invalid", st.Details.Kind, st.Details.Name)
	}
	if len(st.Details.Causes) == 0 {
		return head + ": " + st.Message
	}
	lines := make([]string, 0, len(st.Details.Causes))
	for _, c := range st.Details.Causes {
		lines = append(lines, c.Field+": "+c.Message)
	}
	if len(lines) == 1 {
		return head + ": " + lines[0]
	}
	return head + ":\n* " + strings.Join(lines, "\n* ")
}
