package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

const binary = "../../bin/skerry" // `go tool task build`

var small = options{level: "error"}

// TestReplacing replaces pods for a while: afterwards every key of a pod is there once.
func TestReplacing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	r, err := measureChurn(ctx, binary, size{40, 4}, 20, 3*time.Second, small)
	if err != nil {
		t.Fatal(err)
	}
	if r.replaced == 0 || len(r.starts) == 0 {
		t.Errorf("%d replaced, %d started", r.replaced, len(r.starts))
	}
	for _, prefix := range []string{"desired", "assigned", "observed"} {
		if r.left[prefix] != 40 {
			t.Errorf("%d keys under %s for 40 pods", r.left[prefix], prefix)
		}
	}
}

// TestTrouble: on nodes whose containers fail to start and whose connections are cut,
// all pods come to run, and all go when they are told to.
func TestTrouble(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c, err := bring(ctx, binary, 4, small, "--seed", "7", "--fail-rate", "0.2", "--start-time", "20ms", "--churn", "4s", "--away", "1s")
	if err != nil {
		t.Fatal(err)
	}
	defer c.remove()
	client, err := c.client(ctx)
	if err != nil {
		t.Fatal(err)
	}
	e, err := look(ctx, client, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Create(ctx, schemas.Deployments, deployment("big", 30)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.expect("running pods", 2*time.Minute, all(30))(ctx); err != nil {
		t.Fatal(err)
	}
	l, err := c.list(ctx)
	if err != nil || l.rows != 30 {
		t.Errorf("skerry get pods -A: %d rows, %v", l.rows, err)
	}
	background := metav1.DeletePropagationBackground
	ref := schemas.Ref{Resource: schemas.Deployments, Namespace: namespace, Name: "big"}
	if err := client.Delete(ctx, ref, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.expect("end of all pods", 2*time.Minute, all(0))(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte("before\n"+scaleLines.begin+"\nold\n"+scaleLines.end+"\nafter\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := replace(path, scaleLines, render([]row{{what: "w", result: "r", aim: "a", met: true}})); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(page), "old") || !strings.Contains(string(page), "| w | r |  | a | yes |") || !strings.HasSuffix(string(page), scaleLines.end+"\nafter\n") {
		t.Errorf("%q, %v", page, err)
	}
	if err := replace(path+"x", scaleLines, ""); err == nil {
		t.Error("a page that is not there was written")
	}
}

// TestFlat: memory that has stopped growing is flat, and a line that goes on up is not.
func TestFlat(t *testing.T) {
	var level, line churn
	for i := range int64(50) {
		level.memory = append(level.memory, usage{rss: min(i, 20) << 20})
		line.memory = append(line.memory, usage{rss: i << 20})
	}
	if got := level.course(); !level.flat() || got != "4, 14, 20, 20, 20 MiB" {
		t.Errorf("%s, flat: %t", got, level.flat())
	}
	if line.flat() {
		t.Errorf("%s is flat", line.course())
	}
}

// TestCurve: each size is a line, also one whose restart was not measured.
func TestCurve(t *testing.T) {
	r := result{size: size{pods: 1000000, nodes: 5000}, probe: &probe{}, list: &listing{first: time.Millisecond, all: time.Second}}
	r.start.took = 1000 * time.Second
	table := curveTable([]result{r})
	if !strings.Contains(table, "\n| 1,000,000 on 5,000 | 1000.00 s, 1000 pods/s |") || !strings.HasSuffix(table, "| not measured |\n") {
		t.Error(table)
	}
}

// TestLive: the figures stand behind the profile, each in its own way.
func TestLive(t *testing.T) {
	const profile = "heap profile: 1: 8 [1: 8] @ heap/1048576\n\n# runtime.MemStats\n# Alloc = 5\n# HeapAlloc = 700\n# HeapSys = 9000\n# Stack = 80 / 90\n"
	if n, err := readLive(strings.NewReader(profile)); n != 780 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := readLive(strings.NewReader("not found\n")); err == nil {
		t.Error("no figures, and no error")
	}
}

// TestPer: what a pod and a node take is the difference that they make.
func TestPer(t *testing.T) {
	r := result{size: size{pods: 10, nodes: 2}}
	r.memory.bare = memory{live: 100 << 10, resident: 1 << 20}
	r.memory.idle.control, r.memory.idle.nodes = memory{live: 300 << 10, resident: 2 << 20}, memory{live: 50 << 10, resident: 1 << 20}
	r.memory.full.control, r.memory.full.nodes = memory{live: 350 << 10, resident: 3 << 20}, memory{live: 80 << 10, resident: 1 << 20}
	rows := r.memoryRows()
	if rows[0].result != "5.0 KiB and 3.0 KiB live" || rows[0].more != "102 KiB and 0.0 KiB resident" || rows[1].result != "100 KiB and 25.0 KiB live" || rows[1].more != "512 KiB and 512 KiB resident" {
		t.Errorf("%+v", rows)
	}
}

// TestLimits: one limit for all, or one for the control plane and one for the nodes.
func TestLimits(t *testing.T) {
	for text, want := range map[string][2]string{"": {}, "1GiB": {"1GiB", "1GiB"}, "9GiB,2GiB": {"9GiB", "2GiB"}, ",2GiB": {"", "2GiB"}} {
		if control, nodes := (options{memlimit: text}).limits(); [2]string{control, nodes} != want {
			t.Errorf("%q: %q and %q", text, control, nodes)
		}
	}
}

// TestFolders: what a run that was killed left is removed by the next one, and nothing of
// one that goes on.
func TestFolders(t *testing.T) {
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(home, fmt.Sprintf("%s%d-x", prefix, gone.Process.Pid))
	alive := filepath.Join(home, fmt.Sprintf("%s%d-x", prefix, os.Getppid()))
	for _, dir := range []string{old, alive} {
		if err := os.MkdirAll(filepath.Join(dir, "data"), 0o755); err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
	}
	dir, err := folder()
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of a run that is no more: %v", err)
	}
	if _, err := os.Stat(alive); err != nil {
		t.Error(err)
	}
}

// TestBounds: a cluster that has more on disk than it may is ended, and nothing is left.
func TestBounds(t *testing.T) {
	o := small
	o.disk, o.progress = 1, time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	_, err := measureSize(ctx, binary, size{3000, 4}, o)
	if err == nil || !strings.Contains(err.Error(), "on the disk") {
		t.Errorf("got %v", err)
	}
	left, err := filepath.Glob(filepath.Join(home, fmt.Sprintf("%s%d-*", prefix, os.Getpid())))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
