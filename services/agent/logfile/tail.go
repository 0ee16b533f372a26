package logfile

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// headSize is enough for an entry's time, output and tag.
const headSize = 96

// tailStart finds where the last n lines begin: a file, and an offset in it.
func tailStart(files []*os.File, n int64) (file int, offset int64, err error) {
	c := counter{want: n}
	for i := len(files) - 1; i >= 0; i-- {
		at, done, err := c.file(files[i])
		if err != nil {
			return 0, 0, err
		}
		if done {
			return i, at, nil
		}
	}
	return 0, 0, nil
}

// counter counts lines from the end. An entry that ends a line begins one more
// line, seen from behind; a line without an end is one too.
type counter struct {
	want  int64
	lines int64
	any   bool // an entry was seen
}

// file counts the lines of f. It is done when it knows where the lines wanted begin.
func (c *counter) file(f *os.File) (at int64, done bool, err error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, false, err
	}
	if c.want == 0 && !c.any {
		return end, true, nil
	}
	buf := make([]byte, bufferSize+headSize)
	after := end // where the entry behind the one that is looked at begins
	for off := end; off > 0; {
		size := min(off, bufferSize)
		off -= size
		// The head of an entry can reach into what was looked at before.
		n, err := f.ReadAt(buf[:size+headSize], off)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, false, err
		}
		block := buf[:n]
		for i := min(size, int64(n)); i > 0; {
			nl := int64(bytes.LastIndexByte(block[:i], '\n'))
			if nl < 0 && off > 0 {
				break // it begins in the block before
			}
			start := nl + 1
			if off+start < end && c.entry(block[start:min(start+headSize, int64(n))]) {
				return after, true, nil
			}
			if off+start < end {
				after = off + start
			}
			i = nl
		}
	}
	return 0, false, nil
}

// entry counts one entry, and says whether the lines wanted begin behind it.
func (c *counter) entry(head []byte) bool {
	if i := bytes.IndexByte(head, '\n'); i >= 0 {
		head = head[:i]
	}
	e, ok := parse(head)
	if !ok {
		return false
	}
	if !e.partial || !c.any {
		if c.lines++; c.lines > c.want {
			return true
		}
	}
	c.any = true
	return false
}
