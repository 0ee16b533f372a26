package pod

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/deploy/lab/labtest"
	"github.com/skerry/skerry/services/agent/podman/podmantest"
)

// background starts the command line and ends it with the test.
func background(t *testing.T, ready func(cmd *osexec.Cmd), args ...string) *osexec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*labtest.Patience)
	cmd := rig.Command(ctx, args...)
	if ready != nil {
		ready(cmd)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // ended by the test: that is its error
	})
	return cmd
}

// TestLogsOverRotation: a log of several files' size arrives whole, in order, while it is
// being written and rotated.
func TestLogsOverRotation(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	const lines = 200_000 // of 250 bytes: 50 MB, so that a file of 10 MiB is full several times
	apply(t, ns, script("chatty", fmt.Sprintf("yes $(head -c 250 /dev/zero | tail -c 240 | cat -v | head -c 240) | head -n %d | cat -n; echo end; sleep 1000", lines), "", ""))
	running(t, ns, "chatty")
	var out *bufio.Reader
	background(t, func(cmd *osexec.Cmd) {
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		out = bufio.NewReaderSize(pipe, 1<<20)
	}, "logs", "-f", "-n", ns, "chatty")
	for i := 1; ; i++ {
		l, err := out.ReadString('\n')
		if err != nil {
			t.Fatalf("line %d: %v", i, err)
		}
		if l == "end\n" {
			if i != lines+1 {
				t.Errorf("%d lines instead of %d", i-1, lines)
			}
			break
		}
		if f := strings.Fields(l); len(f) < 1 || f[0] != fmt.Sprint(i) {
			t.Fatalf("line %d is %.40q", i, l)
		}
	}
	if got := logs(t, ns, "chatty", "--tail=1"); got != "end\n" {
		t.Errorf("the last line is %q", got)
	}
}

func TestLogsOptions(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("talk", "echo one; sleep 0.1; echo two >&2; sleep 0.1; echo -n thr; sleep 0.1; echo ee; exit 1", "", ""))
	p := await(t, ns, "talk", "restarted", func(p *v1.Pod) bool {
		return len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].RestartCount > 0
	})
	if got := logs(t, ns, "talk", "--previous"); got != "one\ntwo\nthree\n" {
		t.Errorf("the run before said %q", got)
	}
	got := logs(t, ns, "talk", "--previous", "--timestamps", "--prefix", "--tail=1")
	if !strings.HasPrefix(got, "[pod/talk/main] "+p.CreationTimestamp.UTC().Format("2006-01-02T15:")) || !strings.HasSuffix(got, "Z three\n") {
		t.Errorf("with time and prefix it is %q", got)
	}
	if got := logs(t, ns, "talk", "--previous", "--limit-bytes=6"); got != "one\ntw" {
		t.Errorf("six bytes are %q", got)
	}
	if got := logs(t, ns, "talk", "--since-time=2100-01-01T00:00:00Z"); got != "" {
		t.Errorf("of the future it is %q", got)
	}
}

// TestExecSession: exit codes as they are, the end of input, a terminal's size.
func TestExecSession(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("shell", "sleep 1000", "", ""))
	running(t, ns, "shell")
	for command, want := range map[string]int{"exit 0": 0, "exit 1": 1, "exit 42": 42, "exit 255": 255, "kill -9 $$": 137, "kill -15 $$": 143, "exec >&- 2>&-; sleep 0.3; exit 5": 5} {
		out, err := rig.TrySkerry(t, "", "exec", "-n", ns, "shell", "--", "sh", "-c", command)
		if got := code(err); got != want {
			t.Errorf("%s: exit code %d, want %d\n%s", command, got, want, out)
		}
	}
	big := strings.Repeat("0123456789abcdef\n", 100_000)
	if got := rig.Skerry(t, big, "exec", "-i", "-n", ns, "shell", "--", "cat"); got != big {
		t.Errorf("%d bytes came back of %d", len(got), len(big))
	}
	if out, err := rig.TrySkerry(t, "", "exec", "-n", ns, "shell", "--", "/no/such"); err == nil {
		t.Errorf("a command that is not there succeeded: %s", out)
	}
}

// code is the exit code of a command line.
func code(err error) int {
	var exit *osexec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

// TestAttach: output from now on; input that stays open for the next one, or does not.
func TestAttach(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("keeps", "echo before; cat; echo over", "  restartPolicy: Never", "    stdin: true"))
	apply(t, ns, script("once", "cat; echo over", "  restartPolicy: Never", "    stdin: true\n    stdinOnce: true"))
	running(t, ns, "keeps")
	running(t, ns, "once")
	rig.Eventually(t, "it to have said what it says first", func() error {
		if out := logs(t, ns, "keeps"); out != "before\n" {
			return fmt.Errorf("it said %q", out)
		}
		return nil
	})
	for _, word := range []string{"first", "second"} {
		ended := make(chan struct{})
		in, out := attach(t, ns, "keeps", ended)
		if _, err := io.WriteString(in, word+"\n"); err != nil {
			t.Fatal(err)
		}
		if l, err := out.ReadString('\n'); l != word+"\n" {
			t.Fatalf("%q came back of %s: %v", l, word, err)
		}
		_ = in.Close()
		close(ended)
	}
	if p := get(t, ns, "keeps"); p.Status.Phase != v1.PodRunning {
		t.Errorf("its input ended: %+v", p.Status)
	}
	in, out := attach(t, ns, "once", make(chan struct{}))
	if _, err := io.WriteString(in, "only\n"); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	if all, err := io.ReadAll(out); err != nil || string(all) != "only\nover\n" {
		t.Errorf("%q came of it, %v", all, err)
	}
	ended(t, ns, "once")
}

// attach attaches with -i; closing leave ends it.
func attach(t *testing.T, ns, name string, leave chan struct{}) (io.WriteCloser, *bufio.Reader) {
	t.Helper()
	var in io.WriteCloser
	var out *bufio.Reader
	cmd := background(t, func(cmd *osexec.Cmd) {
		var err error
		if in, err = cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		out = bufio.NewReader(pipe)
	}, "attach", "-i", "-q", "-n", ns, name)
	go func() {
		<-leave
		_ = cmd.Process.Kill() // as a terminal that is closed
	}()
	return in, out
}

// TestPortForward: many connections at once, one direction ending before the other, a
// port that nobody listens on, and a server on the loopback address alone.
func TestPortForward(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("web", "mkdir -p /tmp/w; head -c 3000000 /dev/zero > /tmp/w/big; echo hello > /tmp/w/index.html; exec httpd -f -p 127.0.0.1:8080 -h /tmp/w", "",
		"    ports: [{name: http, containerPort: 8080}]"))
	running(t, ns, "web")
	local, nobody := forward(t, ns, "web", ":http", ":9")
	var g errgroup.Group
	for range 20 {
		g.Go(func() error {
			resp, err := http.Get("http://" + local + "/big")
			if err != nil {
				return err
			}
			defer func() { _ = resp.Body.Close() }()
			n, err := io.Copy(io.Discard, resp.Body)
			if err == nil && n != 3_000_000 {
				err = fmt.Errorf("%d bytes", n)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	// The request's direction ends first, the answer still comes.
	conn, err := net.Dial("tcp", local)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(conn); err != nil || !strings.Contains(string(b), "hello") {
		t.Errorf("%q, %v", b, err)
	}
	refused, err := net.Dial("tcp", nobody)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = refused.Close() }()
	if b, err := io.ReadAll(refused); len(b) > 0 {
		t.Errorf("nobody said %q, %v", b, err)
	}
	if resp, err := http.Get("http://" + local + "/"); err != nil {
		t.Errorf("after a refusal: %v", err)
	} else {
		_ = resp.Body.Close()
	}
}

// forward forwards ports and returns where they are, in order.
func forward(t *testing.T, ns, name string, ports ...string) (a, b string) {
	t.Helper()
	var out *bufio.Reader
	background(t, func(cmd *osexec.Cmd) {
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		out = bufio.NewReader(pipe)
	}, append([]string{"port-forward", "-n", ns, "--address=127.0.0.1", "pod/" + name}, ports...)...)
	var at []string
	for range ports {
		l, err := out.ReadString('\n')
		rest, ok := strings.CutPrefix(l, "Forwarding from ")
		if !ok {
			t.Fatalf("port-forward said %q, %v", l, err)
		}
		addr, _, _ := strings.Cut(rest, " -> ")
		at = append(at, addr)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	return at[0], at[len(at)-1]
}

// TestPortForwardEnds: with its pod.
func TestPortForwardEnds(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("web", "sleep 1000", "", ""))
	running(t, ns, "web")
	var out *bufio.Reader
	cmd := background(t, func(cmd *osexec.Cmd) {
		pipe, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		out = bufio.NewReader(pipe)
	}, "port-forward", "-n", ns, "web", ":80")
	rig.Skerry(t, "", "delete", "pod", "-n", ns, "web")
	if l, err := io.ReadAll(out); err != nil || !strings.Contains(string(l), "lost connection to pod") {
		t.Errorf("it said %q, %v", l, err)
	}
	if err := cmd.Wait(); code(err) != 1 {
		t.Errorf("it ended with %v", err)
	}
}

// TestCopy: both ways, an image without tar, directories, and a destination that is not there.
func TestCopy(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("files", "mkdir -p /tmp/out/sub; echo made > /tmp/out/sub/f; ln -s /etc/passwd /tmp/out/l; sleep 1000", "", ""))
	running(t, ns, "files")
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	big := bytes.Repeat([]byte("0123456789abcde\n"), 1<<20) // 16 MiB
	err := errors.Join(os.MkdirAll(filepath.Join(in, "deep"), 0o755), os.WriteFile(filepath.Join(in, "deep", "big"), big, 0o640))
	if err != nil {
		t.Fatal(err)
	}
	cp := func(args ...string) (string, error) {
		return rig.TrySkerry(t, "", append([]string{"cp", "-n", ns}, args...)...)
	}
	if out, err := cp(in, "files:/tmp"); err != nil || out != "" {
		t.Fatalf("to a pod: %v %s", err, out)
	}
	if got := exec(t, ns, "files", "stat", "-c", "%s %a %u", "/tmp/in/deep/big"); got != fmt.Sprintf("%d 640 %d\n", len(big), os.Getuid()) {
		t.Errorf("there it is %s", got)
	}
	if out, err := cp(filepath.Join(in, "deep", "big"), ns+"/files:/tmp/named", "--no-preserve"); err != nil {
		t.Errorf("under another name: %v %s", err, out)
	}
	if got := exec(t, ns, "files", "stat", "-c", "%s %a", "/tmp/named"); got != fmt.Sprintf("%d 644\n", len(big)) {
		t.Errorf("there it is %s", got)
	}
	if out, err := cp("files:/tmp/named", filepath.Join(dir, "back")); err != nil || out != "" {
		t.Errorf("from a pod: %v %s", err, out)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "back")); err != nil || !bytes.Equal(got, big) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	if out, err := cp("files:/tmp/out", filepath.Join(dir, "out")); err != nil || !strings.Contains(out, "skipping symlink") {
		t.Errorf("a directory: %v %s", err, out)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "out", "sub", "f")); err != nil || string(got) != "made\n" {
		t.Errorf("it holds %q, %v", got, err)
	}
	for _, c := range []struct{ from, to, say string }{
		{filepath.Join(dir, "nosuch"), "files:/tmp", "doesn't exist in local filesystem"},
		{"files:/nosuch", dir, "/nosuch: No such file or directory"},
		{in, "files:/nosuch/deeper/x", "/nosuch/deeper: No such file or directory"},
		{in, "files:/tmp/named/x", "/tmp/named: Not a directory"},
		{"files:/tmp", "files:/tmp", "must be a local file"},
		{in, dir, "must be a remote file"},
	} {
		if out, err := cp(c.from, c.to); err == nil || !strings.Contains(out, c.say) {
			t.Errorf("%s to %s: %v %s", c.from, c.to, err, out)
		}
	}
}

// TestDebug: a container beside those of a running pod, a changed copy of the pod, and a
// pod that sees its node.
func TestDebug(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("web", "sleep 1000", "", ""))
	running(t, ns, "web")
	image := "--image=" + podmantest.Image
	never := "--image-pull-policy=Never"
	out := rig.Skerry(t, "", "debug", "-n", ns, "web", "-c", "dbg", image, never, "--target=main", "--profile=baseline", "--", "sh", "-c", "echo beside; sleep 1000")
	if !strings.Contains(out, `Targeting container "main"`) {
		t.Errorf("it said %s", out)
	}
	rig.Eventually(t, "the ephemeral container", func() error {
		out, err := rig.TrySkerry(t, "", "logs", "-n", ns, "web", "-c", "dbg")
		if err == nil && out != "beside\n" {
			err = errors.New(out)
		}
		return err
	})
	if got := rig.Skerry(t, "", "exec", "-n", ns, "web", "-c", "dbg", "--", "echo", "in it"); got != "in it\n" {
		t.Errorf("exec printed %q", got)
	}
	if got := rig.Skerry(t, "in\n", "debug", "-q", "-i", "-n", ns, "web", "-c", "two", image, never, "--profile=baseline", "--", "sh", "-c", "read x; echo got $x"); got != "got in\n" {
		t.Errorf("attached, it printed %q", got)
	}
	if p := get(t, ns, "web"); p.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("the pod did not go on: %+v", p.Status)
	}
	rig.Skerry(t, "", "debug", "-n", ns, "web", "--copy-to=copy", "-c", "main", image, never, "--", "sh", "-c", "echo copied; sleep 1000")
	running(t, ns, "copy")
	if got := logs(t, ns, "copy"); got != "copied\n" {
		t.Errorf("the copy says %q", got)
	}
	out = rig.Skerry(t, "", "debug", "-n", ns, "node/h1", image, never, "--", "sh", "-c", "ls /host; sleep 1000")
	_, rest, _ := strings.Cut(out, "Creating debugging pod ")
	name, _, _ := strings.Cut(rest, " ")
	running(t, ns, name)
	if got := logs(t, ns, name); !strings.Contains(got, "proc\n") {
		t.Errorf("on the node it sees %q", got)
	}
}

// TestClientVanishes: a command line that is killed leaves nothing behind at the agent.
func TestClientVanishes(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("web", "while sleep 0.1; do echo tick; done", "", ""))
	running(t, ns, "web")
	var out *bufio.Reader
	cmd := background(t, func(cmd *osexec.Cmd) {
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		out = bufio.NewReader(pipe)
	}, "logs", "-f", "-n", ns, "web")
	if l, err := out.ReadString('\n'); l != "tick\n" {
		t.Fatalf("%q, %v", l, err)
	}
	file := logFile(t, ns)
	if readers(t, file) == 0 {
		t.Fatalf("the agent does not read %s", file)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	rig.Eventually(t, "the end of the session", func() error {
		if n := readers(t, file); n > 0 {
			return fmt.Errorf("the agent reads %s", file)
		}
		return nil
	})
}

// logFile is the one log in a namespace.
func logFile(t *testing.T, ns string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(rig.Hosts[0].AgentDir(), "logs", ns+"_*", "*.log"))
	if err != nil || len(found) != 1 {
		t.Fatalf("logs %v, %v", found, err)
	}
	return found[0]
}

// readers counts the agent's open descriptors of a file.
func readers(t *testing.T, file string) int {
	t.Helper()
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", rig.Pid("h1-agent")))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && to == file {
			n++
		}
	}
	return n
}
