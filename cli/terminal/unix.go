//go:build unix

// Package terminal is the terminal that a person sits at: its size, and its raw mode
// for shells in containers.
//
// It reads and sets the terminal of the process. What always holds: raw mode ends
// with the function that Raw returned.
package terminal

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/skerry/skerry/cli/session"
)

// tty is a terminal by its descriptors.
type tty struct{ in, out int }

// Of returns the terminal of in and out; nil if out is none.
func Of(in, out *os.File) session.Terminal {
	if !term.IsTerminal(int(out.Fd())) {
		return nil
	}
	return tty{int(in.Fd()), int(out.Fd())}
}

func (t tty) Size() (width, height int) {
	w, h, err := term.GetSize(t.out)
	if err != nil {
		return 80, 24
	}
	return w, h
}

func (t tty) Raw() (func(), error) {
	if !term.IsTerminal(t.in) {
		return nil, fmt.Errorf("make terminal raw: stdin is not a terminal")
	}
	old, err := term.MakeRaw(t.in)
	if err != nil {
		return nil, fmt.Errorf("make terminal raw: %w", err)
	}
	return func() { _ = term.Restore(t.in, old) }, nil
}

func (t tty) Resized(ctx context.Context) <-chan struct{} {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGWINCH)
	out := make(chan struct{}, 1)
	go func() {
		defer close(out)
		defer signal.Stop(signals)
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
			}
			select {
			case out <- struct{}{}:
			default: // one is waiting already
			}
		}
	}()
	return out
}
