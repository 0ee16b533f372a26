package pod

import (
	"bufio"
	"context"
	"fmt"
	osexec "os/exec"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/deploy/lab/labtest"
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
