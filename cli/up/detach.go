//go:build unix

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

// notifyReady tells the waiting parent, if there is one, that all is well.
func notifyReady(s *session.Session, text string) { tell(s, "ok\n"+text) }

// notify tells the waiting parent why the start failed.
func notify(s *session.Session, err error) {
	if err != nil {
		tell(s, "error\n"+err.Error()+"\n")
	}
}

func tell(s *session.Session, text string) {
	fd, err := strconv.Atoi(s.Getenv(readyVariable))
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(fd), "ready")
	if f == nil {
		return
	}
	// A parent that is gone already is no reason to stop; neither is a second notice.
	_, _ = io.WriteString(f, text)
	_ = f.Close()
}
