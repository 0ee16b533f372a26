package logfile

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Readers are those who follow logs on this host. What they have still to read is kept from
// being rotated away, up to the keeper's Hold. The zero value and nil have none.
type Readers struct {
	mu  sync.Mutex
	all map[*reader]bool
}

// reader is one of them. It is nil where nobody asks for readers.
type reader struct {
	of   *Readers
	path string
	at   os.FileInfo // the file that it reads; nil: it needs all there are
}

// join adds a reader of the log at path, which leaves when it is done.
func (r *Readers) join(path string) *reader {
	if r == nil {
		return nil
	}
	w := &reader{of: r, path: filepath.Clean(path)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[*reader]bool{}
	}
	r.all[w] = true
	return w
}

// moved says that the reader needs f and what comes after it. It keeps f open, so that no
// other file can be taken for it.
func (w *reader) moved(f *os.File) {
	if w == nil {
		return
	}
	at, err := f.Stat()
	if err != nil {
		return // it needs no less than before
	}
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.at = at
}

func (w *reader) leave() {
	if w == nil {
		return
	}
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	delete(w.of.all, w)
}

// reads tells whether anybody reads logs whose path begins like that.
func (r *Readers) reads(prefix string) bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.all {
		if strings.HasPrefix(w.path, prefix) {
			return true
		}
	}
	return false
}

// needed is the index of the oldest of the rotated files that somebody has to read yet;
// len(olds) if nobody does.
func (r *Readers) needed(path string, olds []old) int {
	if r == nil {
		return len(olds)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	need := len(olds)
	for w := range r.all {
		if w.path == path {
			need = min(need, w.needs(path, olds))
		}
	}
	return need
}

func (w *reader) needs(path string, olds []old) int {
	if w.at == nil {
		return 0
	}
	for i, o := range olds {
		if st, err := os.Stat(o.path); err == nil && os.SameFile(st, w.at) {
			return i
		}
	}
	if st, err := os.Stat(path); err == nil && os.SameFile(st, w.at) {
		return len(olds)
	}
	return 0 // its file was dropped: all that is left comes after it
}
