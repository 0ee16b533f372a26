//go:build linux

package up

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
)

// readyVariable names the descriptor on which a detached process tells its parent
// that it is ready ("ok", then what to print), or why not ("error", then why).
const readyVariable = "SKERRY_READY_FD"

// detach starts this command line again in the background and waits until it is ready.
func detach(ctx context.Context, s *session.Session, dir dataDir, limit time.Duration) error {
	if err := os.MkdirAll(string(dir), 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	logFile, err := os.OpenFile(dir.log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer logFile.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start in the background: %w", err)
	}
	defer read.Close()
	cmd := exec.Command(s.Executable, withoutDetach(s.Args)...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.Dir = s.Dir
	cmd.ExtraFiles = []*os.File{write} // becomes descriptor 3
	cmd.Env = append(os.Environ(), readyVariable+"=3")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	write.Close()
	if err != nil {
		return fmt.Errorf("start in the background: %w", err)
	}
	pid := cmd.Process.Pid
	if err := cmd.Process.Release(); err != nil {
		return fmt.Errorf("start in the background: %w", err)
	}
	if err := read.SetReadDeadline(time.Now().Add(limit + 5*time.Second)); err != nil {
		return fmt.Errorf("start in the background: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(pid, syscall.SIGTERM) })
	defer stop()
	return awaitReady(s, read, dir, pid)
}

func awaitReady(s *session.Session, r io.Reader, dir dataDir, pid int) error {
	in := bufio.NewReader(r)
	word, err := in.ReadString('\n')
	text, _ := io.ReadAll(in)
	switch {
	case word == "ok\n":
		s.Printf("%sRunning in the background (pid %d), log in %s; `skerry down` stops it.\n", text, pid, dir.log())
		return nil
	case word == "error\n":
		return fmt.Errorf("%s\n(log in %s)", strings.TrimSpace(string(text)), dir.log())
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: it is still starting; see %s", failure.ErrTimeout, dir.log())
	}
	return fmt.Errorf("it ended at once; see %s", dir.log())
}

// withoutDetach is the command line that the background process runs.
func withoutDetach(args []string) []string {
	return slices.DeleteFunc(slices.Clone(args), func(a string) bool {
		return a == "--detach" || a == "-d" || strings.HasPrefix(a, "--detach=")
	})
}

// parent is the process that waits for this one to be ready, if there is one.
type parent struct {
	f *os.File // nil: nobody waits, or has been told
}

// parentOf finds the waiting parent. Children that are started later must not
// inherit the descriptor: the parent reads until the last one is closed.
func parentOf(s *session.Session) *parent {
	fd, err := strconv.Atoi(s.Getenv(readyVariable))
	if err != nil {
		return &parent{}
	}
	syscall.CloseOnExec(fd)
	return &parent{f: os.NewFile(uintptr(fd), "ready")}
}

// ready tells the parent that all is well.
func (p *parent) ready(text string) { p.tell("ok\n" + text) }

// failed tells the parent why the start failed.
func (p *parent) failed(err error) {
	if err != nil {
		p.tell("error\n" + err.Error() + "\n")
	}
}

// tell speaks once: afterwards the descriptor's number may be another file's.
func (p *parent) tell(text string) {
	if p.f == nil {
		return
	}
	// A parent that is gone already is no reason to stop.
	_, _ = io.WriteString(p.f, text)
	_ = p.f.Close()
	p.f = nil
}
