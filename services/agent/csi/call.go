//go:build linux

// Package csi speaks with the storage drivers of a host: it learns of them by their registration
// sockets, and has them publish and unpublish volumes of pods.
//
// Reads: the sockets in a directory of the host (the kubelet's plugins_registry), the answers of the
// drivers behind them. Writes: calls to these drivers, which mount. What always holds: every call has an
// end, and every answer a largest size; a driver is known as long as its socket is there, so one that starts
// anew is found again; and nothing is asked of a driver that has not said its name.
package csi

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The calls are few and their messages small, so gRPC is written out here, as for health probes: its
// library would be some 5 MB of the binary.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md says how.

// longestAnswer is the largest answer that is read, as in gRPC.
const longestAnswer = 4 << 20

// Code is the status code of a call.
type Code int

const (
	codeOK                Code = 0
	codeCanceled          Code = 1
	codeUnknown           Code = 2
	codeDeadlineExceeded  Code = 4
	codeNotFound          Code = 5
	codeResourceExhausted Code = 8
	codeAborted           Code = 10
	codeInternal          Code = 13
	codeUnavailable       Code = 14
)

var codeNames = [...]string{"OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists", "PermissionDenied",
	"ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented", "Internal", "Unavailable", "DataLoss", "Unauthenticated"}

func (c Code) String() string {
	if c >= 0 && int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("Code(%d)", int(c))
}

// Error is a call that failed, in the words of gRPC.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string {
	return fmt.Sprintf("rpc error: code = %s desc = %s", e.Code, e.Message)
}

// Final tells whether err says that nothing was done; otherwise the driver may still be at it.
func Final(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case codeCanceled, codeDeadlineExceeded, codeUnavailable, codeResourceExhausted, codeAborted:
		return false
	}
	return true
}

// call does one unary call at a unix socket.
func call(ctx context.Context, socket, method string, message []byte) ([]byte, error) {
	t := &http.Transport{
		Protocols: new(http.Protocols), DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}
	t.Protocols.SetUnencryptedHTTP2(true)
	defer t.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/"+method, strings.NewReader(string(frame(message))))
	if err != nil {
		return nil, err
	}
	req.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {"skerry-agent"}}
	if until, ok := ctx.Deadline(); ok {
		// Later than this side gives up, which the driver hears of: so it is known who did.
		left := max(time.Until(until), 0) + time.Second
		req.Header.Set("Grpc-Timeout", strconv.FormatInt(left.Milliseconds(), 10)+"m")
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return nil, failed(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer+6))
	if err != nil {
		return nil, failed(ctx, err)
	}
	if err := statusOf(resp, len(body)); err != nil {
		return nil, err
	}
	return unframe(body)
}

// failed is why a call got no answer.
func failed(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &Error{codeCanceled, "context canceled"}
	case ctx.Err() != nil:
		return &Error{codeDeadlineExceeded, "context deadline exceeded"}
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return &Error{codeUnavailable, fmt.Sprintf("connection error: desc = \"transport: Error while dialing: %v\"", dial)}
	}
	return &Error{codeUnavailable, err.Error()}
}

// statusOf is the error that an answer tells of. A call that fails has its status in the headers,
// one that has an answer in the trailers.
func statusOf(resp *http.Response, size int) error {
	if resp.StatusCode != http.StatusOK {
		return &Error{codeUnknown, fmt.Sprintf("unexpected HTTP status code received from server: %d", resp.StatusCode)}
	}
	code, message := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
	if code == "" {
		code, message = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")
	}
	switch {
	case size > longestAnswer+5:
		return &Error{codeResourceExhausted, fmt.Sprintf("received message larger than max (%d)", longestAnswer)}
	case code == "":
		return &Error{codeInternal, "the answer is not gRPC: it has no status"}
	}
	n, err := strconv.Atoi(code)
	if err != nil {
		return &Error{codeUnknown, fmt.Sprintf("malformed grpc-status: %q", code)}
	}
	if Code(n) == codeOK {
		return nil
	}
	return &Error{Code(n), decode(message)}
}

// longestMessage bounds what a driver says about a failure: it becomes an event.
const longestMessage = 2 << 10

func decode(message string) string {
	if text, err := url.PathUnescape(message); err == nil {
		message = text
	}
	if len(message) > longestMessage {
		message = message[:longestMessage] + "…"
	}
	return strings.ToValidUTF8(message, "�")
}

// frame puts a message into gRPC's frame: not compressed, and its length.
func frame(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

func unframe(body []byte) ([]byte, error) {
	const head = 5
	if len(body) < head || body[0] != 0 || int(binary.BigEndian.Uint32(body[1:head])) != len(body)-head {
		return nil, &Error{codeInternal, "the answer is no message of gRPC"}
	}
	return body[head:], nil
}
