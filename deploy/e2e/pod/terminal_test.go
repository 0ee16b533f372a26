package pod

import (
	"bytes"
	"fmt"
	"os"
	osexec "os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skerry/skerry/deploy/lab/labtest"
)

// person sits at a terminal of their own, at which a command line runs.
type person struct {
	t    testing.TB
	tty  *os.File // the master: the keyboard and the screen
	cmd  *osexec.Cmd
	done chan struct{} // closed when the screen stays as it is

	mu     sync.Mutex
	screen bytes.Buffer
	news   chan struct{} // one token: something was shown
}

// sit starts a command line at a terminal of that size. It is killed when the test ends.
func sit(t testing.TB, rows, columns uint16, args ...string) *person {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, tty: master, done: make(chan struct{}), news: make(chan struct{}, 1)}
	p.resize(rows, columns)
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.cmd = rig.Command(t.Context(), args...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close() // the command line has it
	go p.watch()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		<-p.done
		_ = master.Close()
	})
	return p
}

// watch collects what is shown, until nobody has the terminal open any more.
func (p *person) watch() {
	defer close(p.done)
	b := make([]byte, 4096)
	for {
		n, err := p.tty.Read(b)
		p.mu.Lock()
		p.screen.Write(b[:n])
		p.mu.Unlock()
		select {
		case p.news <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (p *person) shown() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.String()
}

func (p *person) resize(rows, columns uint16) {
	p.t.Helper()
	if err := unix.IoctlSetWinsize(int(p.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) types(keys string) {
	p.t.Helper()
	if _, err := p.tty.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// sees waits until the text is on the screen.
func (p *person) sees(text string) {
	p.t.Helper()
	late := time.After(labtest.Patience)
	for !strings.Contains(p.shown(), text) {
		select {
		case <-p.news:
		case <-late:
			p.t.Fatalf("%q was not shown within %s:\n%q", text, labtest.Patience, p.shown())
		}
	}
}

// code is how the command line ended.
func (p *person) code() int {
	p.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	select {
	case err := <-ended:
		return code(err)
	case <-time.After(labtest.Patience):
		p.t.Fatalf("the session does not end:\n%q", p.shown())
	}
	return -1
}

// TestTerminal: a shell at a terminal, whose size follows this one's, and how it ends.
func TestTerminal(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("shell", "sleep 1000", "", ""))
	running(t, ns, "shell")

	p := sit(t, 31, 97, "exec", "-it", "-n", ns, "shell", "--", "sh")
	// The shell's own echo shows the command, so what it prints is put together.
	until := "until [ \"$(stty size)\" = '%d %d' ]; do sleep 0.05; done; echo si''zed to %[1]d\r"
	p.types(fmt.Sprintf(until, 31, 97))
	p.sees("sized to 31")
	for _, size := range [][2]uint16{{52, 203}, {10, 40}} {
		p.resize(size[0], size[1])
		p.types(fmt.Sprintf(until, size[0], size[1]))
		p.sees(fmt.Sprintf("sized to %d", size[0]))
	}
	p.types("exit 7\r")
	if got := p.code(); got != 7 {
		t.Errorf("exit code %d, want 7", got)
	}

	for command, want := range map[string]int{
		"exit 0": 0, "exit 1": 1, "/etc/passwd": 126, "/no/such": 127, "kill -INT $$": 130, "kill -9 $$": 137,
	} {
		p := sit(t, 24, 80, "exec", "-it", "-n", ns, "shell", "--", "sh", "-c", command)
		if got := p.code(); got != want {
			t.Errorf("%s: exit code %d, want %d:\n%q", command, got, want, p.shown())
		}
	}

	p = sit(t, 24, 80, "exec", "-it", "-n", ns, "shell", "--", "sh", "-c", "echo re''ady; exec sleep 1000")
	p.sees("ready")
	p.types("\x03")
	if got := p.code(); got != 130 {
		t.Errorf("interrupted from the keyboard: exit code %d, want 130:\n%q", got, p.shown())
	}
}
