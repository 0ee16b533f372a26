package copy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/bus/stream"
)

// TestResume: a copy goes on where it broke off, as often as is allowed, and only if that
// can be of use.
func TestResume(t *testing.T) {
	const whole = "0123456789"
	denied := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "web", errors.New("no"))
	for name, c := range map[string]struct {
		tries  int
		breaks []error // of each stream, after 3 bytes; nil: it goes on to its end
		refuse map[int]error
		got    string
		err    error
		said   string
	}{
		"unbroken":   {breaks: []error{nil}, got: whole},
		"no retries": {breaks: []error{stream.ErrPeerLost}, got: "012", err: stream.ErrPeerLost},
		"one":        {tries: 1, breaks: []error{stream.ErrPeerLost, nil}, got: whole, said: "Resuming copy at 3 bytes, retry 1/1;"},
		"too few":    {tries: 1, breaks: []error{stream.ErrGap, io.ErrUnexpectedEOF, nil}, got: "012345", err: io.ErrUnexpectedEOF, said: "Resuming copy at 3 bytes, retry 1/1;"},
		"as often as it takes": {tries: -1, breaks: []error{stream.ErrPeerLost, stream.ErrPeerLost, nil}, got: whole,
			said: "Resuming copy at 3 bytes, retry 1;Resuming copy at 6 bytes, retry 2;"},
		"the agent is away for a while": {tries: 2, breaks: []error{stream.ErrPeerLost, nil, nil}, refuse: map[int]error{1: bus.ErrUnreachable}, got: whole,
			said: "Resuming copy at 3 bytes, retry 1/2;Resuming copy at 3 bytes, retry 2/2;"},
		"an answer": {tries: 5, breaks: []error{denied}, got: "012", err: denied},
		"no more allowed": {tries: 5, breaks: []error{stream.ErrPeerLost, nil}, refuse: map[int]error{1: denied}, got: "012", err: denied,
			said: "Resuming copy at 3 bytes, retry 1/5;"},
	} {
		t.Run(name, func(t *testing.T) {
			opened, closed, said := 0, 0, ""
			r := &resumer{ctx: t.Context(), tries: c.tries, delay: newDelay(),
				say:   func(format string, args ...any) { said += fmt.Sprintf(format, args...) + ";" },
				pause: func(context.Context, time.Duration) error { return nil },
				open: func(_ context.Context, skip int64) (io.ReadCloser, error) {
					n := opened
					opened++
					if err := c.refuse[n]; err != nil {
						closed++
						return nil, err
					}
					rest := whole[skip:]
					if err := c.breaks[n]; err != nil {
						return closer{io.MultiReader(strings.NewReader(rest[:3]), iotest.ErrReader(err)), &closed}, nil
					}
					return closer{strings.NewReader(rest), &closed}, nil
				}}
			got, err := io.ReadAll(r)
			r.Close()
			if string(got) != c.got || !errors.Is(err, c.err) || said != c.said {
				t.Errorf("got %q, %v, and it said %q", got, err, said)
			}
			if closed != opened {
				t.Errorf("%d streams were opened and %d closed", opened, closed)
			}
		})
	}
}

type closer struct {
	io.Reader
	n *int
}

func (c closer) Close() error { *c.n++; return nil }

// TestResumeEnds: who waits for the connection can give up.
func TestResumeEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := &resumer{ctx: ctx, tries: -1, pause: pause.For, delay: newDelay(),
		say:  func(string, ...any) { cancel() },
		open: func(context.Context, int64) (io.ReadCloser, error) { return nil, bus.ErrUnreachable }}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, bus.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}
