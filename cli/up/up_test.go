//go:build linux

package up

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/config"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
)

// cluster1 is a control plane that runs in this process for one test.
type cluster1 struct {
	session *session.Session // of a user of it
	dir     dataDir
	url     string
	stop    func() error
}

// startUp runs `skerry up --no-agent` until the test ends.
func startUp(t *testing.T, edit ...func(*Up)) *cluster1 {
	t.Helper()
	folder := t.TempDir()
	read, write := io.Pipe()
	env := session.Env{
		Stdout: write, Stderr: io.Discard, Dir: folder, ConfigDir: folder, Now: time.Now,
		Getenv: func(string) string { return "" },
	}
	s := session.New(env, session.Globals{})
	ctx, cancel := context.WithCancel(context.Background())
	c := &Up{Host: Host{DataDir: "data", LogLevel: "warn"}, Listen: "127.0.0.1:0", NoAgent: true, Wait: 30 * time.Second}
	for _, e := range edit {
		e(c)
	}
	done := make(chan error, 1)
	go func() {
		done <- c.Run(ctx, s)
		write.Close()
	}()
	var once sync.Once
	var ended error
	stop := func() error {
		once.Do(func() { cancel(); ended = <-done })
		return ended
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("up ended with %v", err)
		}
	})
	url := ""
	out := bufio.NewScanner(read)
	for out.Scan() {
		if m := regexp.MustCompile(`bus +(nats://\S+)`).FindStringSubmatch(out.Text()); m != nil {
			url = m[1]
		}
		if strings.HasPrefix(out.Text(), "To let other hosts join") {
			break
		}
	}
	if url == "" {
		t.Fatalf("up did not become ready: %v", stop())
	}
	go io.Copy(io.Discard, read)
	return &cluster1{session: s, dir: dataDir(filepath.Join(folder, "data")), url: url, stop: stop}
}

func TestUpIsUsable(t *testing.T) {
	c := startUp(t)
	user := session.New(c.session.Env, session.Globals{})
	defer user.Close()
	client, err := user.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Get(t.Context(), schemas.Ref{Resource: schemas.Namespaces, Name: "default"}); err != nil {
		t.Fatal(err)
	}
	published(t, c, client)
	path, err := user.ConfigPath()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the configuration holds credentials: %v, %v", info.Mode(), err)
	}
	if _, running := c.dir.running(); !running {
		t.Error("the data directory is not locked")
	}
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	if _, running := c.dir.running(); running {
		t.Error("the data directory is still locked")
	}
}

// published waits until a namespace holds the authority that the HTTP API's clients are to trust.
func published(t *testing.T, c *cluster1, client *api.Client) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join(c.dir.pki(), "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	ref := schemas.Ref{Resource: schemas.ConfigMaps, Namespace: "default", Name: "kube-root-ca.crt"}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := awaitObject(ctx, client, ref, func(o schemas.Object) bool {
		m, ok := o.(*corev1.ConfigMap)
		return ok && m.Data["ca.crt"] == string(want)
	}); err != nil {
		t.Errorf("the authority is not published: %v", err)
	}
}

// TestPurgeRemovesWhatUpMade: all of it, and nothing that somebody else keeps in the folder.
func TestPurgeRemovesWhatUpMade(t *testing.T) {
	c := startUp(t)
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"agent/pods/x": "", "photos": "mine", "bus.old/x": "mine too"} {
		path := c.dir.path(name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if left, err := c.dir.clear(); err != nil || !slices.Equal(left, []string{"bus.old", "photos"}) {
			t.Fatalf("left: %q, %v", left, err)
		}
	}
	if err := errors.Join(os.Remove(c.dir.path("photos")), os.RemoveAll(c.dir.path("bus.old"))); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if left, err := c.dir.clear(); err != nil || len(left) > 0 {
			t.Fatalf("left: %q, %v", left, err)
		}
	}
	if _, err := os.Lstat(string(c.dir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

func TestSecondUpSaysItRuns(t *testing.T) {
	c := startUp(t)
	var out bytes.Buffer
	env := c.session.Env
	env.Stdout = &out
	second := &Up{Host: Host{DataDir: "data"}, Wait: time.Second}
	if err := second.Run(t.Context(), session.New(env, session.Globals{})); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "already running") {
		t.Errorf("second up says %q", out.String())
	}
}

// TestJoin: a token gives credentials of one node, and nothing else.
func TestJoin(t *testing.T) {
	c := startUp(t)
	var out bytes.Buffer
	env := c.session.Env
	env.Stdout = &out
	if err := (&Token{DataDir: "data"}).Run(session.New(env, session.Globals{})); err != nil {
		t.Fatal(err)
	}
	tok, err := decodeToken(strings.TrimSpace(out.String()))
	if err != nil {
		t.Fatal(err)
	}
	creds, err := askToJoin(t.Context(), c.url, tok, "n2")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := bus.Connect(t.Context(), bus.Options{URL: c.url, User: bus.NodeUser("n2"), Creds: creds})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := api.NewClient(conn, kinds.Table())
	if _, err := client.Get(t.Context(), schemas.Ref{Resource: schemas.Nodes, Name: "n2"}); err == nil || strings.Contains(err.Error(), "unreachable") {
		t.Errorf("the node's own object: %v", err)
	}
	if _, err := client.Get(t.Context(), schemas.Ref{Resource: schemas.Secrets, Namespace: "default", Name: "x"}); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("a secret of nobody's: %v", err)
	}
	if _, err := askToJoin(t.Context(), c.url, tok, "Not A Name"); err == nil {
		t.Error("a node with a bad name may join")
	}
}

func TestDecodeToken(t *testing.T) {
	want := token{Creds: fmt.Sprintf(credsText, "a.b.c", strings.Repeat("S", seedLength)), CA: "pem\n"}
	good, err := encodeToken(want)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "x", "a.b.c", good[:50], good + "!", good + ".x"} {
		if _, err := decodeToken(bad); err == nil {
			t.Errorf("%q is taken for a token", bad)
		}
	}
	if got, err := decodeToken(good); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestReachable(t *testing.T) {
	for _, tt := range []struct{ url, host, want string }{
		{"nats://0.0.0.0:4222", "192.0.2.7", "nats://192.0.2.7:4222"},
		{"nats://[::]:4222", "192.0.2.7", "nats://192.0.2.7:4222"},
		{"nats://10.0.0.1:4222", "192.0.2.7", "nats://10.0.0.1:4222"},
		{"tls://0.0.0.0:4222", "127.0.0.1", "tls://127.0.0.1:4222"},
		{"nats://0.0.0.0:4222", "", "nats://0.0.0.0:4222"},
		{"nats://a:4222,nats://b:4222", "192.0.2.7", "nats://a:4222,nats://b:4222"},
	} {
		if got := reachable(tt.url, tt.host); got != tt.want {
			t.Errorf("reachable(%s, %s) = %s, want %s", tt.url, tt.host, got, tt.want)
		}
	}
}

func TestForget(t *testing.T) {
	folder := t.TempDir()
	s := session.New(session.Env{ConfigDir: folder, Getenv: func(string) string { return "" }}, session.Globals{})
	path, err := s.ConfigPath()
	if err != nil {
		t.Fatal(err)
	}
	f := &config.File{CurrentContext: contextName}
	f.Set(config.Context{Name: contextName})
	f.Set(config.Context{Name: "other"})
	if err := f.Save(path); err != nil {
		t.Fatal(err)
	}
	if err := forget(s); err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(path)
	if err != nil || got.Find(contextName) != nil || got.Find("other") == nil || got.CurrentContext != "" {
		t.Errorf("left %+v, %v", got, err)
	}
}

// TestLateStart: what has been up before is not given up when it takes long to be up again.
func TestLateStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	there := func(c *Up) { c.DataDir = dir }
	if err := startUp(t, there).stop(); err != nil {
		t.Fatal(err)
	}
	startUp(t, there, func(c *Up) { c.Wait = time.Nanosecond })
}
