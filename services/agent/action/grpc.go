package action

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The health check is one unary call whose messages have one field each, so it is
// written out here: the gRPC library would be some 5 MB of the binary for it.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md and
// https://github.com/grpc/grpc/blob/master/doc/health-checking.md say how.
const (
	healthPath    = "/grpc.health.v1.Health/Check"
	serving       = 1
	unimplemented = "12"
)

var statuses = [...]string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}

// health succeeds if the server says that the service is serving.
func (d *Doer) health(ctx context.Context, t Target, a *v1.GRPCAction) (Outcome, string) {
	address, err := t.address("", intstr.FromInt32(a.Port))
	if err != nil {
		return Unknown, err.Error()
	}
	scheme, service := "http", ""
	if a.Mode != nil && *a.Mode == v1.GRPCProbeModeTLS {
		scheme = "https"
	}
	if a.Service != nil {
		service = *a.Service
	}
	status, err := d.check(ctx, scheme+"://"+address+healthPath, service)
	switch {
	case errors.Is(err, errUnimplemented):
		return Failure, fmt.Sprintf("error: this server does not implement the grpc health protocol (grpc.health.v1.Health): %v", err)
	case ctx.Err() != nil:
		return Failure, fmt.Sprintf("timeout: health rpc did not complete in time: %v", ctx.Err())
	case err != nil:
		return Failure, fmt.Sprintf("error: health rpc probe failed: %v", err)
	case status != serving:
		return Failure, fmt.Sprintf("service unhealthy (responded with %q)", statusName(status))
	}
	return Success, ""
}

func statusName(n uint64) string {
	if n < uint64(len(statuses)) {
		return statuses[n]
	}
	return fmt.Sprint(n)
}

var errUnimplemented = errors.New("unknown service")

func (d *Doer) check(ctx context.Context, url, service string) (status uint64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(healthRequest(service)))
	if err != nil {
		return 0, err
	}
	req.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {userAgent}}
	resp, err := d.http2.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the server answered with HTTP status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxOutput))
	if err != nil {
		return 0, err
	}
	// A call that fails has its status in the headers, one that has an answer in the trailers.
	code, message := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
	if code == "" {
		code, message = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")
	}
	if text, err := unescape(message); err == nil {
		message = text
	}
	switch code {
	case "0":
		return healthResponse(body)
	case unimplemented:
		return 0, fmt.Errorf("%w: %s", errUnimplemented, message)
	case "":
		return 0, errors.New("the answer is not gRPC: it has no status")
	}
	return 0, fmt.Errorf("rpc error: code = %s desc = %s", code, message)
}

// unescape decodes the percent-encoding of messages.
func unescape(s string) (string, error) { return url.PathUnescape(strings.ReplaceAll(s, "+", "%2B")) }

// healthRequest is the framed message: not compressed, a length, and field 1 as a string.
func healthRequest(service string) []byte {
	var m []byte
	if service != "" {
		m = append(m, 1<<3|2)
		m = binary.AppendUvarint(m, uint64(len(service)))
		m = append(m, service...)
	}
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(m)))
	return append(frame, m...)
}

// healthResponse reads field 1 as an enumeration; without it, it is 0.
func healthResponse(frame []byte) (uint64, error) {
	bad := errors.New("the health response cannot be read")
	if len(frame) < 5 || frame[0] != 0 || uint64(binary.BigEndian.Uint32(frame[1:])) != uint64(len(frame)-5) {
		return 0, bad
	}
	var status uint64
	for m := frame[5:]; len(m) > 0; {
		tag, n := binary.Uvarint(m)
		if n <= 0 {
			return 0, bad
		}
		m = m[n:]
		switch tag & 7 {
		case 0:
			v, n := binary.Uvarint(m)
			if n <= 0 {
				return 0, bad
			}
			if m = m[n:]; tag>>3 == 1 {
				status = v
			}
		case 2:
			l, n := binary.Uvarint(m)
			if n <= 0 || l > uint64(len(m)-n) {
				return 0, bad
			}
			m = m[n+int(l):]
		default:
			return 0, bad
		}
	}
	return status, nil
}
