package kubectl

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skerry/skerry/deploy/lab/labtest"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

// TestTerminal: what people type into, on a real terminal.
func TestTerminal(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	pod := strings.Replace(web("shop", 1, "while read line; do echo got $line; done"), "imagePullPolicy", "stdin: true\n        tty: true\n        imagePullPolicy", 1)
	kubectl(t, "", "-n", ns, "apply", "-f", file(t, pod))
	kubectl(t, "", "-n", ns, "rollout", "status", "deploy/shop", "--timeout=60s")
	name := strings.TrimPrefix(strings.TrimSpace(kubectl(t, "", "-n", ns, "get", "pods", "-o", "name")), "pod/")

	shell := onTerminal(t, "-n", ns, "exec", "-it", name, "--", "sh")
	shell.says("# ")
	shell.types("busybox stty size; test -t 0 && echo on a ter''minal\n")
	shell.says("33 101")
	shell.says("on a terminal")
	shell.types("exit 3\n")
	shell.ends(3)

	attached := onTerminal(t, "-n", ns, "attach", "-it", name)
	attached.says("try pressing enter")
	attached.types("hello\n")
	attached.says("got hello")

	debug := onTerminal(t, "-n", ns, "debug", "-it", name, "--image="+podmantest.Image, "--image-pull-policy=Never", "--target=main", "-c", "look", "--", "sh")
	debug.says("Targeting container \"main\"")
	debug.says("try pressing enter") // the prompt may have come before the terminal was attached
	debug.types("busybox ps\n")
	debug.says("while read line")
	debug.types("exit\n")
	debug.ends(0)
	has(t, ns, "  look:\n", "describe", "pod", name)

	once := onTerminal(t, "-n", ns, "run", "once", "-it", "--rm", "--restart=Never", "--image="+podmantest.Image, "--image-pull-policy=Never", "--", "sh")
	once.says("try pressing enter")
	once.types("exit 4\n")
	once.says(`pod "once" deleted`)
	once.ends(4)
}

// typist is a kubectl on a terminal of its own.
type typist struct {
	*testing.T
	cmd    *exec.Cmd
	master *os.File
	read   chan []byte
	unread string
}

func onTerminal(t *testing.T, args ...string) *typist {
	t.Helper()
	master, slave, err := openTerminal()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &typist{T: t, cmd: command(ctx, args...), master: master, read: make(chan []byte, 100)}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	go func() {
		defer close(p.read)
		for {
			b := make([]byte, 4096)
			n, err := master.Read(b)
			if n > 0 {
				p.read <- b[:n]
			}
			if err != nil {
				return // EIO: the other side is closed
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		for range p.read {
		}
		_ = p.cmd.Wait() // killed, or waited for
		master.Close()
	})
	return p
}

// openTerminal makes a terminal of 33 rows and 101 columns.
func openTerminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 33, Col: 101})
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
	}
	return master, slave, err
}

func (p *typist) types(text string) {
	p.Helper()
	if _, err := io.WriteString(p.master, text); err != nil {
		p.Fatal(err)
	}
}

// says waits until want is on the screen.
func (p *typist) says(want string) {
	p.Helper()
	late := time.After(labtest.Patience)
	for !strings.Contains(p.unread, want) {
		select {
		case b, ok := <-p.read:
			if !ok {
				p.Fatalf("ended, want %q\n%s", want, p.unread)
			}
			p.unread += string(b)
		case <-late:
			p.Fatalf("never said %q\n%s", want, p.unread)
		}
	}
	_, p.unread, _ = strings.Cut(p.unread, want)
}

func (p *typist) ends(code int) {
	p.Helper()
	late := time.After(labtest.Patience)
	for open := true; open; {
		select {
		case _, open = <-p.read:
		case <-late:
			p.Fatal("does not end")
		}
	}
	_ = p.cmd.Wait() // the code tells
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.Errorf("%s: exit code %d, want %d", strings.Join(p.cmd.Args[1:], " "), got, code)
	}
}
