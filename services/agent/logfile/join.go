package logfile

import (
	"time"
)

const (
	// ready is how much is collected before it is passed on: with the line that reaches it, it
	// is mostly one frame of a stream, and the fewer of them the less a log costs.
	ready = 48 << 10
	// maxHeld bounds what is held back of one output while a line of the other is open.
	maxHeld = 64 << 10
)

// joiner makes lines of entries. A line that comes in several entries is passed on as it
// comes; entries of the other output wait until it has ended, so that lines do not mix.
type joiner struct {
	o     Options
	from  [3]place // of each output, the first entry wanted
	emit  func(p []byte) error
	out   []byte
	open  byte   // the output whose line has begun and not ended; 0: none
	held  []held // what waits for its end, in order
	bytes int    // in held
}

type held struct {
	e     entry
	owned []byte
}

func newJoiner(o Options, emit func(p []byte) error) *joiner {
	return &joiner{o: o, emit: emit, out: make([]byte, 0, 2*ready)}
}

// add takes in the next entry, which is the caller's again afterwards.
func (j *joiner) add(e entry) error {
	if j.o.Stream != 0 && e.stream != j.o.Stream || e.at < j.from[e.stream] {
		return nil
	}
	if !j.o.Since.IsZero() {
		t, err := time.Parse(time.RFC3339Nano, string(e.stamp))
		if err != nil || t.Before(j.o.Since) {
			return nil
		}
		j.o.Since = time.Time{} // times only grow
	}
	if j.open != 0 && e.stream != j.open {
		return j.hold(e)
	}
	if err := j.write(e); err != nil {
		return err
	}
	if j.open == 0 && len(j.held) > 0 {
		return j.release()
	}
	return nil
}

func (j *joiner) hold(e entry) error {
	owned := append(append(make([]byte, 0, len(e.stamp)+len(e.content)), e.stamp...), e.content...)
	e.stamp, e.content = owned[:len(e.stamp)], owned[len(e.stamp):]
	j.held = append(j.held, held{e, owned})
	if j.bytes += len(owned) + 64; j.bytes <= maxHeld {
		return nil
	}
	return j.release()
}

// release passes on what was held back, be the open line at its end or not.
func (j *joiner) release() error {
	waiting := j.held
	j.held, j.bytes = nil, 0
	if j.open != 0 {
		j.out = append(j.out, '\n')
		j.open = 0
	}
	for _, h := range waiting {
		if j.open != 0 && h.e.stream != j.open {
			j.out = append(j.out, '\n')
			j.open = 0
		}
		if err := j.write(h.e); err != nil {
			return err
		}
	}
	return nil
}

func (j *joiner) write(e entry) error {
	if j.o.Timestamps && j.open == 0 {
		j.out = append(appendStamp(j.out, e.stamp), ' ')
	}
	j.out = append(j.out, e.content...)
	j.open = e.stream
	if !e.partial {
		j.out = append(j.out, '\n')
		j.open = 0
	}
	if len(j.out) >= ready {
		return j.pass()
	}
	return nil
}

// pass hands out what is ready.
func (j *joiner) pass() error {
	if len(j.out) == 0 {
		return nil
	}
	err := j.emit(j.out)
	j.out = j.out[:0]
	return err
}

// flush hands out everything: nothing more came for a while, or will come.
func (j *joiner) flush() error {
	if len(j.held) > 0 {
		if err := j.release(); err != nil {
			return err
		}
	}
	return j.pass()
}

// stampFormat has as many digits for every time, so that columns stay columns.
const stampFormat = "2006-01-02T15:04:05.000000000Z07:00"

// appendStamp writes a time as Kubernetes does: in UTC.
func appendStamp(b, stamp []byte) []byte {
	t, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil {
		return append(b, stamp...)
	}
	return t.UTC().AppendFormat(b, stampFormat)
}
