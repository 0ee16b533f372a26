package bus

import "context"

// TraceHeader is the message header that carries the W3C trace context.
const TraceHeader = "traceparent"

type traceKey struct{}

// WithTrace returns a context whose requests and streams carry traceparent, so
// that one trace leads from a client's command to what an agent did for it.
func WithTrace(ctx context.Context, traceparent string) context.Context {
	if !validTrace(traceparent) {
		return ctx
	}
	return context.WithValue(ctx, traceKey{}, traceparent)
}

// TraceOf returns the trace context of ctx, "" if there is none.
func TraceOf(ctx context.Context) string {
	s, _ := ctx.Value(traceKey{}).(string)
	return s
}

// validTrace checks the form of W3C Trace Context level 1:
// <version>-<32 hex>-<16 hex>-<2 hex>, lower case.
func validTrace(s string) bool {
	if len(s) != 55 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i == 2 || i == 35 || i == 52 {
			if c != '-' {
				return false
			}
		} else if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}
