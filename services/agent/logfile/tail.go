package logfile

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
)

// headSize is enough for an entry's time, output and tag.
const headSize = 96

// place is where an entry begins in the files of a log: a later one is greater, and 0 is
// before all of them.
type place int64

// never comes behind every place.
const never place = math.MaxInt64

// placeBits leaves room for files of 16 TiB.
const placeBits = 44

func placeOf(file int, offset int64) place { return place(file+1)<<placeBits | place(offset) }

// split undoes placeOf.
func (p place) split() (file int, offset int64) {
	return int(p>>placeBits) - 1, int64(p & (1<<placeBits - 1))
}

// tailStart finds where the last n lines begin, for each output on its own: between the
// pieces of a line can be lines of the other output, so one place would cut lines in two or
// let in one that is too old. only is the output that counts; 0: both.
func tailStart(files []*os.File, n int64, only byte) (from [3]place, err error) {
	c := counter{want: n, only: only}
	for i := len(files) - 1; i >= 0; i-- {
		done, err := c.file(files[i], i)
		if err != nil {
			return from, err
		}
		if done {
			return c.result(), nil
		}
	}
	c.begin(1)
	c.begin(2)
	if c.count() {
		return c.result(), nil
	}
	return from, nil
}

// counter counts lines from the end. They come out in the order in which they begin, so
// the last ones are those that begin last. Where a line begins is known once the end of the
// one before it, of the same output, was seen.
type counter struct {
	want  int64
	only  byte
	lines int64      // counted
	from  [3]place   // where the earliest line counted of an output begins
	open  [3]place   // the earliest piece seen of a line that may begin before it
	apart [3]int64   // bytes of the other output that were seen in front of that
	begun [3][]place // beginnings that are known and not counted yet, the latest first
}

func (c *counter) result() [3]place {
	for s, at := range c.from {
		if at == 0 {
			c.from[s] = never // none of its lines is among the last
		}
	}
	return c.from
}

// file counts the lines of files[number]. It is done when it knows where the lines wanted begin.
func (c *counter) file(f *os.File, number int) (done bool, err error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return false, err
	}
	if c.want == 0 {
		at := placeOf(number, end)
		c.from = [3]place{at, at, at}
		return true, nil
	}
	buf := make([]byte, bufferSize+headSize)
	after := end // where the entry behind the one that is looked at begins
	for off := end; off > 0; {
		size := min(off, bufferSize)
		off -= size
		// The head of an entry can reach into what was looked at before.
		n, err := f.ReadAt(buf[:size+headSize], off)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		block := buf[:n]
		for i := min(size, int64(n)); i > 0; {
			nl := int64(bytes.LastIndexByte(block[:i], '\n'))
			if nl < 0 && off > 0 {
				break // it begins in the block before
			}
			start := nl + 1
			if off+start < end {
				head := block[start:min(start+headSize, int64(n))]
				if c.entry(head, placeOf(number, off+start), after-off-start) {
					return true, nil
				}
				after = off + start
			}
			i = nl
		}
	}
	return false, nil
}

// entry takes in the entry at a place, and says whether it is known now where the lines
// wanted begin.
func (c *counter) entry(head []byte, at place, size int64) bool {
	if i := bytes.IndexByte(head, '\n'); i >= 0 {
		head = head[:i]
	}
	e, ok := parse(head)
	if !ok || c.only != 0 && c.only != e.stream {
		return false
	}
	s, other := e.stream, 3-e.stream
	if !e.partial {
		c.begin(s) // it ends a line, so the next one begins behind it
	}
	c.open[s], c.apart[s] = at, 0
	if c.apart[other] += size; c.apart[other] > maxHeld {
		c.begin(other) // a joiner ends a line that the other one waited for that long
	}
	return c.count()
}

// begin notes that the open line of an output begins where its earliest piece is.
func (c *counter) begin(s byte) {
	if c.open[s] != 0 {
		c.begun[s] = append(c.begun[s], c.open[s])
		c.open[s] = 0
	}
}

// count counts the beginnings that no other can come behind, and says whether they are
// as many as are wanted.
func (c *counter) count() bool {
	for {
		s := byte(1)
		if c.latest(2) > c.latest(1) {
			s = 2
		}
		if len(c.begun[s]) == 0 {
			return false
		}
		c.from[s], c.begun[s] = c.begun[s][0], c.begun[s][1:]
		if c.lines++; c.lines == c.want {
			return true
		}
	}
}

// latest is the last place where the next line of an output can begin.
func (c *counter) latest(s byte) place {
	if len(c.begun[s]) > 0 {
		return c.begun[s][0]
	}
	return c.open[s]
}
