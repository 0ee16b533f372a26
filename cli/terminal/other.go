//go:build !unix

package terminal

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/term"

	"github.com/skerry/skerry/cli/session"
)

// console is a terminal by its descriptors.
type console struct{ in, out int }

// Of returns the terminal of in and out; nil if out is none.
func Of(in, out *os.File) session.Terminal {
	if !term.IsTerminal(int(out.Fd())) {
		return nil
	}
	return console{int(in.Fd()), int(out.Fd())}
}

func (t console) Size() (width, height int) {
	w, h, err := term.GetSize(t.out)
	if err != nil {
		return 80, 24
	}
	return w, h
}

func (t console) Raw() (func(), error) {
	old, err := term.MakeRaw(t.in)
	if err != nil {
		return nil, fmt.Errorf("make terminal raw: %w", err)
	}
	return func() { _ = term.Restore(t.in, old) }, nil
}

// Resized never sends: this system has no signal for it.
func (t console) Resized(ctx context.Context) <-chan struct{} {
	out := make(chan struct{})
	context.AfterFunc(ctx, func() { close(out) })
	return out
}
