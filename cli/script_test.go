package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sync/errgroup"

	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/metric"
	"github.com/skerry/skerry/bus/stream"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/schemas/outline"
	"github.com/skerry/skerry/services/apiserver"
	"github.com/skerry/skerry/services/controller"
	"github.com/skerry/skerry/services/scheduler"
)

var update = flag.Bool("update", false, "rewrite the scripts' expected output")

// TestScripts runs the command line as testdata/*.txt say, in this process, against real
// services on a real bus and a fake node. Each script has a namespace of its own.
func TestScripts(t *testing.T) {
	url := startCluster(t)
	var node sync.Mutex
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: *update,
		Setup:         func(e *testscript.Env) error { return setUp(e, url) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"skerry": func(ts *testscript.TestScript, neg bool, args []string) {
				if code := runIn(ts, args); (code != 0) != neg {
					ts.Fatalf("skerry %s: exit code %d", strings.Join(args, " "), code)
				}
			},
			// node has the node for the rest of the script: there is one, and whoever cordons
			// it must not be in the way of who looks where pods can go.
			"node": func(ts *testscript.TestScript, _ bool, _ []string) {
				node.Lock()
				ts.Defer(node.Unlock)
			},
			// code N args… runs skerry args and wants exit code N.
			"code": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				if code := runIn(ts, args[1:]); code != want {
					ts.Fatalf("skerry %s: exit code %d, want %d", strings.Join(args[1:], " "), code, want)
				}
			},
		},
	})
}

// setUp writes the script's configuration: the cluster, and the script's namespace.
func setUp(e *testscript.Env, url string) error {
	name := strings.TrimSuffix(filepath.Base(e.WorkDir), filepath.Ext(e.WorkDir))
	ns := strings.ToLower(strings.TrimPrefix(name, "script-"))
	path := filepath.Join(e.WorkDir, "config.yaml")
	e.Setenv("SKERRY_CONFIG", path)
	e.Setenv("NS", ns)
	text := "current-context: test\ncontexts:\n- name: test\n  server: " + url + "\n  user: admin\n  namespace: " + ns + "\n"
	return os.WriteFile(path, []byte(text), 0o600)
}

// patience bounds one command: far above what any takes.
const patience = 30 * time.Second

// runIn runs a command line in the script's folder; "< FILE" at its end is stdin.
func runIn(ts *testscript.TestScript, args []string) int {
	stdin := ""
	if n := len(args); n > 1 && args[n-2] == "<" {
		stdin, args = ts.ReadFile(args[n-1]), args[:n-2]
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	env := session.Env{
		Stdin: strings.NewReader(stdin), Stdout: ts.Stdout(), Stderr: ts.Stderr(),
		Getenv: ts.Getenv, Dir: ts.MkAbs("."), ConfigDir: ts.MkAbs("."), Now: time.Now, Args: args, Version: "test",
	}
	return run(ctx, env, args)
}

// withSeals is a table with a kind that the command line was not built with.
func withSeals(t *testing.T) *schemas.Table {
	k, err := outline.Outline{
		Group: "sea.example.com", Version: "v1", Kind: "Seal", Plural: "seals", ShortNames: []string{"sl"}, Namespaced: true, Status: true,
		Scale:   &schemas.Scale{Replicas: "spec.pups", Status: "status.pups"},
		Columns: []outline.Column{{Name: "NAME", Path: ".metadata.name"}, {Name: "COLOUR", Path: ".spec.colour"}},
	}.Entry()
	if err != nil {
		t.Fatal(err)
	}
	table := kinds.Table().Clone()
	if err := table.Put(k); err != nil {
		t.Fatal(err)
	}
	return table
}

// startCluster starts a bus, the control plane and a node that is fake.
func startCluster(t *testing.T) string {
	b, table := bustest.Start(t), withSeals(t)
	ctx, cancel := context.WithCancel(context.Background())
	g, ctx := errgroup.WithContext(ctx)
	log := slog.New(slog.DiscardHandler)
	apiConn, ctlConn, schedConn, nodeConn := b.Conn(t, "system:apiserver"), b.Conn(t, "system:controller"), b.Conn(t, "system:scheduler"), b.Conn(t, "system:node:n1")
	g.Go(func() error {
		return apiserver.Run(ctx, apiConn, apiserver.Config{ID: "a", Table: table, Log: log})
	})
	node := newFakeNode(nodeConn, "n1")
	node.client.RetryFor = patience
	awaitServing(ctx, t, node)
	g.Go(func() error {
		return controller.Run(ctx, ctlConn, controller.Config{ID: "c", Table: table, Log: log})
	})
	g.Go(func() error {
		return scheduler.Run(ctx, schedConn, scheduler.Config{ID: "s", Table: kinds.Table(), Log: log})
	})
	g.Go(func() error { return node.beat(ctx) })
	g.Go(func() error { return stream.ServeNode(ctx, nodeConn, "n1", "logs", 8, node.logs) })
	g.Go(func() error { return stream.ServeNode(ctx, nodeConn, "n1", "exec", 8, node.exec) })
	g.Go(func() error { return metric.Serve(ctx, nodeConn, "n1", node.metrics) })
	g.Go(func() error { node.run(ctx, t); return nil })
	t.Cleanup(func() {
		cancel()
		if err := g.Wait(); err != nil && ctx.Err() == nil {
			t.Errorf("a service ended: %v", err)
		}
	})
	return b.URL()
}
