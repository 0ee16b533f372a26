// Package console is a session with a process in a pod: its streams on this process's
// own, and its terminal on this one.
//
// It reads stdin and the terminal's size, and writes stdout and stderr. What always
// holds: the terminal is put back in order however the session ends, and how a
// command ended is how this one does.
package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/skerry/skerry/bus/remote"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
)

// Console is one session.
type Console struct {
	Session *session.Session
	Stream  *stream.Stream
	Stdin   bool
	TTY     bool // put this process's terminal through
	// Detach lets ctrl-p ctrl-q end the session and leave the process be.
	Detach bool
}

// ErrDetached ends a session by the user's wish.
var ErrDetached = errors.New("detached")

// Run returns when the session has ended, and closes its stream. Reading stdin cannot be interrupted, so that
// goroutine may outlive the session: it ends with its next read, or the process.
func (c *Console) Run(ctx context.Context) error {
	defer func() { _ = c.Stream.Close() }()
	if c.TTY && c.Stdin {
		restore, err := c.Session.Terminal.Raw()
		if err != nil {
			return err
		}
		defer restore()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var sizes sync.WaitGroup
	defer sizes.Wait()
	defer cancel(nil)
	if c.TTY {
		sizes.Go(func() { c.sendSizes(ctx) })
	}
	if c.Stdin {
		go c.sendStdin(ctx, cancel)
	}
	err := c.receive(ctx)
	if errors.Is(context.Cause(ctx), ErrDetached) {
		return ErrDetached
	}
	return err
}

// receive prints what comes until the process's end.
func (c *Console) receive(ctx context.Context) error {
	for {
		f, err := c.Stream.Recv(ctx)
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the session ended without a word: %w", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return err
		}
		switch f.Channel {
		case remote.Stdout:
			_, err = c.Session.Stdout.Write(f.Data)
		case remote.Stderr:
			_, err = c.Session.Stderr.Write(f.Data)
		case remote.Error:
			return outcome(f.Data)
		}
		if err != nil {
			return fmt.Errorf("print output: %w", err)
		}
	}
}

// outcome reads how the process ended.
func outcome(data []byte) error {
	code, err := remote.ExitCode(data)
	if err != nil || code == 0 {
		return err
	}
	return failure.Remote(code)
}

func (c *Console) sendStdin(ctx context.Context, cancel context.CancelCauseFunc) {
	buf := make([]byte, 32<<10)
	var keys detacher
	for {
		n, err := c.Session.Stdin.Read(buf)
		p := buf[:n]
		if c.Detach && c.TTY {
			var enough bool
			if p, enough = keys.filter(p); enough {
				cancel(ErrDetached)
				return
			}
		}
		if len(p) > 0 && c.Stream.Send(ctx, stream.Frame{Channel: remote.Stdin, Data: p}) != nil {
			return
		}
		if err != nil {
			// An empty frame of stdin is its end; the other direction goes on.
			_ = c.Stream.Send(ctx, stream.Frame{Channel: remote.Stdin})
			return
		}
	}
}

func (c *Console) sendSizes(ctx context.Context) {
	changed := c.Session.Terminal.Resized(ctx)
	for {
		w, h := c.Session.Terminal.Size()
		b, err := json.Marshal(remote.Size{Width: uint16(w), Height: uint16(h)})
		if err != nil || c.Stream.Send(ctx, stream.Frame{Channel: remote.Resize, Data: b}) != nil {
			return
		}
		if _, ok := <-changed; !ok {
			return
		}
	}
}

// detacher looks for ctrl-p ctrl-q among what is typed.
type detacher struct{ held bool }

const ctrlP, ctrlQ = 0x10, 0x11

// filter returns what is to be sent of p, and whether the session is to end.
func (d *detacher) filter(p []byte) (out []byte, enough bool) {
	for _, b := range p {
		switch {
		case d.held && b == ctrlQ:
			return out, true
		case d.held:
			out = append(out, ctrlP)
		}
		if d.held = b == ctrlP; !d.held {
			out = append(out, b)
		}
	}
	return out, false
}
