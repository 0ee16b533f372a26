package logfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// entry is one line of the file: "<time> <stdout|stderr> <P|F> <content>", where P says that
// the content's line goes on in the stream's next entry.
type entry struct {
	stamp   []byte
	stream  byte // 1 stdout, 2 stderr
	partial bool
	content []byte
	at      place // where it begins; a splitter fills it in
}

// parse reads a line without its newline; false if it is none of the format.
func parse(line []byte) (e entry, ok bool) {
	stamp, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok || len(stamp) == 0 {
		return e, false
	}
	switch {
	case bytes.HasPrefix(rest, []byte("stdout ")):
		e.stream = 1
	case bytes.HasPrefix(rest, []byte("stderr ")):
		e.stream = 2
	default:
		return e, false
	}
	rest = rest[len("stdout "):]
	tags, content, ok := bytes.Cut(rest, []byte(" "))
	if !ok && len(tags) == 0 {
		return e, false
	}
	// Tags are separated by colons; the first one is the one that counts.
	tag, _, _ := bytes.Cut(tags, []byte(":"))
	if len(tag) != 1 || (tag[0] != 'P' && tag[0] != 'F') {
		return e, false
	}
	e.stamp, e.partial, e.content = stamp, tag[0] == 'P', content
	return e, true
}

// bufferSize is far above the 8 KiB of content that a monitor puts into an entry.
const bufferSize = 64 << 10

// splitter cuts what is read into entries. It keeps what is left of an entry whose
// end was not there yet.
type splitter struct {
	buf  []byte
	n    int
	at   place // of the first byte in buf
	over entry // the entry that was longer than the buffer and still goes on; stream 0: none
}

// pump reads r to its end and passes entries on; it returns how many bytes it read.
func (s *splitter) pump(ctx context.Context, r io.Reader, j *joiner) (int64, error) {
	if s.buf == nil {
		s.buf = make([]byte, bufferSize)
	}
	var total int64
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		n, err := r.Read(s.buf[s.n:])
		s.n += n
		total += int64(n)
		if err := s.split(j); err != nil {
			return total, err
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, fmt.Errorf("read log: %w", err)
		}
	}
}

// split passes on the entries that are whole, and moves the rest to the front.
func (s *splitter) split(j *joiner) error {
	b := s.buf[:s.n]
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		if err := s.line(b[:i], j); err != nil {
			return err
		}
		b = b[i+1:]
		s.at += place(i + 1)
	}
	if len(b) == len(s.buf) {
		if err := s.overlong(b, j); err != nil {
			return err
		}
		s.at += place(len(b))
		b = nil
	}
	s.n = copy(s.buf, b)
	return nil
}

func (s *splitter) line(b []byte, j *joiner) error {
	if s.over.stream != 0 {
		e := s.over
		s.over = entry{}
		e.content = b
		return j.add(e)
	}
	e, ok := parse(b)
	if !ok {
		return nil // not written by a monitor, or torn by a full disk
	}
	e.at = s.at
	return j.add(e)
}

// overlong passes on the beginning of an entry that does not fit the buffer.
func (s *splitter) overlong(b []byte, j *joiner) error {
	e := s.over
	if e.stream == 0 {
		var ok bool
		if e, ok = parse(b); !ok {
			return nil
		}
		e.at = s.at
		s.over = entry{stamp: bytes.Clone(e.stamp), stream: e.stream, partial: e.partial, at: e.at}
	} else {
		e.content = b
	}
	e.partial = true
	return j.add(e)
}

// finish passes on an entry without a newline: the file has ended.
func (s *splitter) finish(j *joiner) error {
	b := s.buf[:s.n]
	s.n = 0
	if len(b) == 0 {
		return nil
	}
	return s.line(b, j)
}
