package kubectl

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skerry/skerry/deploy/lab/labtest"
)

// TestForms: each form that kubectl prints several objects in.
func TestForms(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	for name, n := range map[string]string{"a": "3", "b": "2", "c": "1"} {
		kubectl(t, "", "-n", ns, "create", "configmap", name, "--from-literal=n="+n)
	}
	kubectl(t, "", "-n", ns, "label", "configmap", "c", "l=v")
	template := filepath.Join(t.TempDir(), "template")
	if err := os.WriteFile(template, []byte("{{range .items}}{{.data.n}};{{end}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"-o name --chunk-size=1":          "configmap/a\nconfigmap/b\nconfigmap/c\n",
		"-o name --sort-by=.data.n":       "configmap/c\nconfigmap/b\nconfigmap/a\n",
		"-o jsonpath={.items[*].data.n}":  "3 2 1",
		"-o go-template-file=" + template: "3;2;1;",
		"-o yaml":                         "\nkind: List\n",
		"-o json":                         `"kind": "List"`,
		"-o custom-columns=NAME:.metadata.name,NUMBER:.data.n":      "NAME   NUMBER\na      3\nb      2\nc      1\n",
		"-o custom-columns=:.data.n --no-headers --sort-by=.data.n": "1\n2\n3\n",
		"--show-kind -l l=v --no-headers":                           "configmap/c   1     ",
		"-L l":                                                      "NAME   DATA   AGE   L\n",
		"-l l!=v -o name":                                           "configmap/a\nconfigmap/b\n",
		"a -o yaml --show-managed-fields":                           "manager: kubectl-create",
		"a none --ignore-not-found -o name":                         "configmap/a\n",
	} {
		has(t, ns, want, append([]string{"get", "configmap"}, strings.Fields(args)...)...)
	}
	pages := try(t, "", "-n", ns, "get", "configmap", "--chunk-size=2", "-v=6")
	if !strings.Contains(pages.err, "continue=") || !strings.Contains(pages.err, "limit=2") {
		t.Errorf("pages of two: %s", pages.err)
	}
	if r := try(t, "", "-n", ns, "get", "secrets"); r.code != 0 || r.err != "No resources found in "+ns+" namespace.\n" || r.out != "" {
		t.Errorf("nothing: %+v", r)
	}
	fails(t, ns, 1, "Error from server (NotFound): the server could not find the requested resource", "get", "--raw", "/apis/none/v1")
	fails(t, ns, 1, "error: unable to match a printer suitable for the output format", "get", "configmap", "-o", "none")
	fails(t, ns, 1, `"spec.none" is not a known field selector: only "metadata.name", "metadata.namespace"`, "get", "configmap", "--field-selector=spec.none=a")
	fails(t, ns, 1, "found '=', expected: ',' or 'end of string'", "get", "configmap", "-l", "a=b=c")
}

// TestWatch: what happens is printed as it happens, of all objects or of changes alone.
func TestWatch(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	kubectl(t, "", "-n", ns, "create", "configmap", "first")
	all := follow(t, "-n", ns, "get", "configmap", "-w", "--no-headers")
	all.next(t, "first 0 ")
	events := follow(t, "-n", ns, "get", "configmap", "-w", "--output-watch-events")
	events.next(t, "EVENT NAME DATA")
	events.next(t, "ADDED first 0 ")
	kubectl(t, "", "-n", ns, "create", "configmap", "second", "--from-literal=a=b")
	all.next(t, "second 1 ")
	events.next(t, "ADDED second 1 ")
	kubectl(t, "", "-n", ns, "patch", "configmap", "first", "-p", `{"data":{"a":"b"}}`)
	all.next(t, "first 1 ")
	events.next(t, "MODIFIED first 1 ")
	kubectl(t, "", "-n", ns, "delete", "configmap", "first", "second")
	all.next(t, "first 1 ")
	events.next(t, "DELETED first 1 ")
	watchesOnly(t, ns)
}

// watchesOnly makes objects until one of them is seen: nothing tells when the watch begins.
func watchesOnly(t *testing.T, ns string) {
	t.Helper()
	kubectl(t, "", "-n", ns, "create", "configmap", "old")
	changes := follow(t, "-n", ns, "get", "configmap", "--watch-only", "-o", "name")
	rig.Eventually(t, "a change is printed", func() error {
		kubectl(t, "", "-n", ns, "create", "configmap", "new-"+strconv.FormatInt(time.Now().UnixNano(), 10))
		select {
		case line := <-changes:
			return eq(line[:min(len(line), 14)], "configmap/new-")
		default:
			return &difference{"nothing", "a line"}
		}
	})
}

// lines is what a kubectl that runs on has printed.
type lines chan string

// follow starts kubectl, until the test ends.
func follow(t *testing.T, args ...string) lines {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := command(ctx, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l := make(lines, 100)
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(l)
		for s := bufio.NewScanner(out); s.Scan(); {
			select {
			case l <- s.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-read
		_ = cmd.Wait() // killed
	})
	return l
}

// next checks how the next line begins.
func (l lines) next(t *testing.T, want string) {
	t.Helper()
	select {
	case line := <-l:
		if got := strings.Join(strings.Fields(line), " "); !strings.HasPrefix(got, strings.TrimSpace(want)) {
			t.Errorf("got %q, want %q", got, want)
		}
	case <-time.After(labtest.Patience):
		t.Fatalf("no line came, want %q", want)
	}
}
