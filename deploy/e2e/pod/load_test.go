package pod

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// loadSize is what TestLargeCopy and TestBusyLog move; more by hand:
// go test ./deploy/e2e/pod -run 'TestLargeCopy|TestBusyLog' -v -load.size 2147483648.
var loadSize = flag.Int64("load.size", 200<<20, "bytes to move each way")

// memoryLimit is what neither end may need of its own, whatever is moved.
const memoryLimit = 40 << 20

// own is the memory that a process has resident and shares with nobody, in bytes; 0 once it
// has ended. The pages of its program's file are not in it: all processes of the program
// share them, the kernel takes them back when it likes, and how many are mapped depends on
// how the file was written.
func own(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	sum := int64(0)
	for _, field := range []string{"RssAnon:", "RssShmem:"} {
		_, rest, _ := strings.Cut(string(b), field)
		if f := strings.Fields(rest); len(f) > 0 {
			kb, _ := strconv.ParseInt(f[0], 10, 64)
			sum += kb << 10
		}
	}
	return sum
}

// most follows what two processes have of their own until stop is closed, and tells the
// peaks.
func most(cli, agent int, stop <-chan struct{}, peaks chan<- [2]int64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var p [2]int64
	for {
		p[0], p[1] = max(p[0], own(cli)), max(p[1], own(agent))
		select {
		case <-stop:
			peaks <- p
			return
		case <-tick.C:
		}
	}
}

// cpu is the time that a process has had a processor for; 0 once it has ended.
func cpu(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// Behind the name, which can hold anything: the state is the third field of all.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * time.Second / 100 // Linux counts in hundredths of a second
}

// usage runs a command line, has read take its output, and ends it. It reports what that
// took of both ends and fails if it was too much.
func usage(t *testing.T, what string, read func(out io.Reader) int64, args ...string) {
	t.Helper()
	agent := rig.Pid("h1-agent")
	before := cpu(agent)
	cmd := rig.Command(t.Context(), args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop, peaks := make(chan struct{}), make(chan [2]int64)
	go most(cmd.Process.Pid, agent, stop, peaks)
	n := read(out)
	took := time.Since(begun)
	close(stop)
	peak := <-peaks
	if _, err := io.Copy(io.Discard, io.LimitReader(out, 1)); err == nil {
		_ = cmd.Process.Kill() // it would go on for ever
	}
	if err := cmd.Wait(); said.Len() > 0 { // it was killed; what it said counts: that lines are missing, for one
		t.Fatalf("%s: %v\n%s", what, err, said.String())
	}
	spent, gb := cpu(agent)-before, float64(n)/1e9
	t.Logf("%s: %d MB in %s, %.0f MB/s; peak of the command line %d MiB, of the agent %d MiB; CPU for each GB %.1f s and %.1f s",
		what, n/1e6, took.Round(10*time.Millisecond), float64(n)/1e6/took.Seconds(), peak[0]>>20, peak[1]>>20,
		(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()).Seconds()/gb, spent.Seconds()/gb)
	if peak[0] > memoryLimit || peak[1] > memoryLimit {
		t.Errorf("%s: the command line took %d bytes and the agent %d", what, peak[0], peak[1])
	}
}

// TestLargeCopy: the size of a file costs neither end memory.
func TestLargeCopy(t *testing.T) {
	ns := rig.Namespace(t)
	apply(t, ns, script("files", "sleep 10000", "", ""))
	running(t, ns, "files")
	dir := t.TempDir()
	big := filepath.Join(dir, "big")
	f, err := os.Create(big)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(*loadSize), f.Close()); err != nil {
		t.Fatal(err)
	}
	whole := func(out io.Reader) int64 {
		_, _ = io.Copy(io.Discard, out) // it prints nothing: this waits for its end
		return *loadSize
	}
	usage(t, "cp to a pod", whole, "cp", "-n", ns, big, "files:/tmp/big")
	if got := exec(t, ns, "files", "stat", "-c", "%s", "/tmp/big"); got != fmt.Sprintf("%d\n", *loadSize) {
		t.Errorf("there it has %s bytes", got)
	}
	usage(t, "cp from a pod", whole, "cp", "-n", ns, "files:/tmp/big", filepath.Join(dir, "back"))
	if st, err := os.Stat(filepath.Join(dir, "back")); err != nil || st.Size() != *loadSize {
		t.Errorf("what came back: %v, %v", st, err)
	}
}

// TestBusyLog: a log that is written as fast as can be costs neither end memory, be the
// reader fast or slow, and no line of it is lost.
func TestBusyLog(t *testing.T) {
	ns := rig.Namespace(t)
	apply(t, ns, script("busy", "exec yes "+strings.Repeat("x", 160), "", ""))
	running(t, ns, "busy")
	usage(t, "logs -f", func(out io.Reader) int64 {
		n, _ := io.CopyN(io.Discard, out, *loadSize)
		return n
	}, "logs", "-f", "-n", ns, "busy")
	usage(t, "logs -f, read slowly", func(out io.Reader) int64 {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		var n int64
		for range 100 {
			<-tick.C
			m, _ := io.CopyN(io.Discard, out, 64<<10)
			n += m
		}
		return n
	}, "logs", "-f", "-n", ns, "busy")
}
