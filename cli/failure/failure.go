// Package failure decides how a command that failed ends: its exit code and what
// is printed about it. It reads errors only and writes nothing.
//
// What always holds: this is the one place where errors become exit codes:
// 0 success, 1 user error, 2 usage, 3 the cluster cannot be reached, 4 timed out.
package failure

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/stream"
)

// The exit codes of the skerry binary.
const (
	CodeOK          = 0
	CodeUser        = 1
	CodeUsage       = 2
	CodeUnreachable = 3
	CodeTimeout     = 4
	codeInterrupted = 130
)

// ErrTimeout is wrapped by commands whose own --timeout ran out.
var ErrTimeout = errors.New("timed out waiting for the condition")

// Exit ends the command with a code and without a message: what there was to say
// is printed already, or the code is a remote command's own.
type Exit int

func (e Exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// remote is the exit code of a command that ran in a container.
type remote int

func (r remote) Error() string { return fmt.Sprintf("command terminated with exit code %d", int(r)) }

// Remote ends with a remote command's own exit code, and says so.
func Remote(code int) error { return remote(code) }

// usage is a wrong way to call a command.
type usage struct{ error }

func (u usage) Unwrap() error { return u.error }

// Usage returns an error that ends with the code for wrong usage.
func Usage(format string, args ...any) error { return usage{fmt.Errorf(format, args...)} }

// AsUsage marks err as a wrong way to call a command.
func AsUsage(err error) error { return usage{err} }

// source is an API error with the file that caused the request.
type source struct {
	error
	verb, file string
}

func (s source) Unwrap() error { return s.error }

// FromFile names the file (and what was done with it) in the message of an API error.
func FromFile(err error, verb, file string) error {
	if err == nil {
		return nil
	}
	return source{err, verb, file}
}

// Code maps an error to the exit code.
func Code(err error) int {
	var exit Exit
	var u usage
	var r remote
	switch {
	case err == nil:
		return CodeOK
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &r):
		return int(r)
	case errors.As(err, &u):
		return CodeUsage
	case errors.Is(err, bus.ErrUnreachable), errors.Is(err, stream.ErrPeerLost):
		return CodeUnreachable
	case errors.Is(err, ErrTimeout), errors.Is(err, context.DeadlineExceeded), apierrors.IsTimeout(err), apierrors.IsServerTimeout(err):
		return CodeTimeout
	case errors.Is(err, context.Canceled):
		return codeInterrupted
	}
	return CodeUser
}
