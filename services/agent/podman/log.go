package podman

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/containers/podman/v4/pkg/bindings"
)

// LogOptions choose which lines of a container's log to read.
type LogOptions struct {
	Follow     bool
	Timestamps bool
	Since      time.Time // zero: from the start
	Tail       int64     // negative: all
}

// Logs copies a container's log to write, both outputs in the order of the log,
// until its end, or, following, until the container's.
func (d *Driver) Logs(ctx context.Context, id string, o LogOptions, write func(p []byte) error) error {
	conn, err := d.connection(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(bound{ctx, conn})
	defer cancel()
	c, err := bindings.GetClient(ctx)
	if err != nil {
		return err
	}
	q := url.Values{
		"stdout": {"true"}, "stderr": {"true"},
		"follow": {strconv.FormatBool(o.Follow)}, "timestamps": {strconv.FormatBool(o.Timestamps)},
	}
	if !o.Since.IsZero() {
		q.Set("since", o.Since.UTC().Format(time.RFC3339Nano))
	}
	if o.Tail >= 0 {
		q.Set("tail", strconv.FormatInt(o.Tail, 10))
	}
	resp, err := c.DoRequest(ctx, nil, http.MethodGet, "/containers/%s/logs", q, nil, id)
	if err != nil {
		return d.fail("read logs of "+id, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if !resp.IsSuccess() {
		return d.fail("read logs of "+id, resp.Process(nil))
	}
	return demux(resp.Body, func(_ byte, p []byte) error { return write(p) })
}

// maxFrame bounds what a frame's header may announce: Podman sends lines and
// reads of at most a few KiB.
const maxFrame = 16 << 20

// demux reads Podman's framing of two outputs over one stream: a byte for the
// channel (1 stdout, 2 stderr, 3 an error), three of padding, a length, the data.
func demux(r io.Reader, f func(channel byte, p []byte) error) error {
	br := bufio.NewReaderSize(r, 32<<10)
	var head [8]byte
	buf := make([]byte, 32<<10)
	for {
		if _, err := io.ReadFull(br, head[:]); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil
			}
			return fmt.Errorf("read stream: %w", err)
		}
		n := int(binary.BigEndian.Uint32(head[4:]))
		if head[0] > 3 || n > maxFrame {
			return fmt.Errorf("read stream: lost its framing at channel %d, length %d", head[0], n)
		}
		for n > 0 {
			part := buf[:min(n, len(buf))]
			if _, err := io.ReadFull(br, part); err != nil {
				return fmt.Errorf("read stream: %w", err)
			}
			n -= len(part)
			if head[0] == 3 {
				return fmt.Errorf("read stream: podman says: %s", part)
			}
			if err := f(head[0], part); err != nil {
				return err
			}
		}
	}
}
