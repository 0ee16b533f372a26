package docs

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/schemas/shape"
)

var update = flag.Bool("update", false, "write the generated documents")

// podField is one line of pod-fields.txt.
type podField struct {
	path, state, test, reason string
	leaves                    []string // the fields below path that have nothing below them
}

func podFields(t *testing.T) []*podField {
	t.Helper()
	var out []*podField
	for line := range strings.Lines(document(t, "docs/pod-fields.txt")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		p := append(strings.Split(line, "|"), "", "", "")
		for i := range p {
			p[i] = strings.TrimSpace(p[i])
		}
		out = append(out, &podField{path: p[0], state: p[1], test: p[2], reason: p[3]})
	}
	return append(out, ofOtherContainers(out)...)
}

// ofOtherContainers are the lines of init and ephemeral containers: those of containers,
// whose code they share, but for the ones that they have themselves.
func ofOtherContainers(fields []*podField) []*podField {
	listed := map[string]bool{}
	for _, f := range fields {
		listed[f.path] = true
	}
	var out []*podField
	for _, list := range []string{"initContainers", "ephemeralContainers"} {
		for _, f := range fields {
			below, ok := strings.CutPrefix(f.path, "containers[].")
			path := list + "[]." + below
			covered := false
			for p := range listed {
				covered = covered || path == p || strings.HasPrefix(path, p+".") || strings.HasPrefix(path, p+"[")
			}
			if ok && !covered {
				out = append(out, &podField{path: path, state: f.state, test: f.test, reason: f.reason})
			}
		}
	}
	return out
}

// TestNoPodFieldIsIgnoredInSilence: each field of the pod spec is in the list, once, and
// those that are warned about are those of the table of kinds.
func TestNoPodFieldIsIgnoredInSilence(t *testing.T) {
	byPath := map[string]*podField{}
	for _, f := range podFields(t) {
		if byPath[f.path] != nil {
			t.Errorf("%s is listed twice", f.path)
		}
		byPath[f.path] = f
	}
	used := map[string]bool{}
	shape.Leaves(reflect.TypeFor[corev1.PodSpec](), "",
		func(path string) bool { used[path] = true; return byPath[path] != nil },
		func(path string) { t.Errorf("spec.%s is not listed", path) })
	warned := map[string]bool{}
	for _, p := range kinds.Table().ByResource(schemas.Pods).Unhonoured {
		path := strings.TrimPrefix(schemas.PlainPath(p), "spec.")
		warned[path] = true
		if f := byPath[path]; f == nil {
			t.Errorf("%s is warned about, but not listed", path)
		}
	}
	for path, f := range byPath {
		switch {
		case !used[path]:
			t.Errorf("%s is listed, but there is no such field, or a shorter path covers it", path)
		case f.state == "warned" && !warned[path]:
			t.Errorf("%s is listed as warned about, but it is not", path)
		case f.state == "honoured" && warned[path] && f.reason == "":
			t.Errorf("%s is honoured for some values only: say in its line for which not, and why", path)
		}
	}
}

// TestPodFieldsHaveTests: what is honoured or refused names a test that exists, and
// what is not honoured says why.
func TestPodFieldsHaveTests(t *testing.T) {
	for _, f := range podFields(t) {
		switch f.state {
		case "honoured", "refused":
			pkg, name, _ := strings.Cut(f.test, " ")
			if !hasTest(t, pkg, name) {
				t.Errorf("%s: there is no test %s in %q", f.path, name, pkg)
			}
		case "warned", "moot":
		default:
			t.Errorf("%s: unknown state %q", f.path, f.state)
		}
		if f.state != "honoured" && f.reason == "" {
			t.Errorf("%s is %s and says not why", f.path, f.state)
		}
	}
}

func hasTest(t *testing.T, pkg, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pkg), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\nfunc "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}

// TestPodFieldsPage: docs/pod-fields.md is what the list and the Go type make. Write it
// with `go test ./docs -run TestPodFieldsPage -update`.
func TestPodFieldsPage(t *testing.T) {
	fields := podFields(t)
	for _, f := range fields {
		covers := func(path string) bool {
			rest, ok := strings.CutPrefix(path, f.path)
			return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
		}
		shape.Leaves(reflect.TypeFor[corev1.PodSpec](), "", func(string) bool { return false }, func(path string) {
			if covers(path) {
				f.leaves = append(f.leaves, strings.TrimPrefix(strings.TrimPrefix(path, f.path), "."))
			}
		})
	}
	page := podFieldsPage(fields)
	if *update {
		if err := os.WriteFile("pod-fields.md", []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if document(t, "docs/pod-fields.md") != page {
		t.Error("docs/pod-fields.md is not what docs/pod-fields.txt makes: run `go test ./docs -run TestPodFieldsPage -update`")
	}
}

func podFieldsPage(fields []*podField) string {
	var b strings.Builder
	b.WriteString("# Fields of a pod\n\nEvery field of the v1 PodSpec, and what becomes of it. A row stands for the fields below it too. " +
		"*Refused*: a manifest\nwith it is an error. *Warned*: it is stored, and `skerry apply` says that nothing acts on it. *Moot*: it asks for nothing here.\n" +
		"The page is made from `docs/pod-fields.txt` by a test, which fails when a field is missing.\n\n" +
		"| Field below `spec` | State | Shown by | Remark |\n| --- | --- | --- | --- |\n")
	leaves := 0
	count := map[string]int{}
	for _, f := range fields {
		leaves += len(f.leaves)
		count[f.state] += len(f.leaves)
		test := ""
		if f.test != "-" && f.test != "" {
			pkg, name, _ := strings.Cut(f.test, " ")
			test = "`" + name + "` in `" + pkg + "`"
		}
		fmt.Fprintf(&b, "| `%s`%s | %s | %s | %s |\n", f.path, below(f.leaves), f.state, test, f.reason)
	}
	fmt.Fprintf(&b, "\n%d fields in all: %d honoured, %d refused, %d warned about, %d moot.\n", leaves, count["honoured"], count["refused"], count["warned"], count["moot"])
	return b.String()
}

// below lists what a path stands for beside itself.
func below(leaves []string) string {
	if len(leaves) == 0 || len(leaves) == 1 && leaves[0] == "" {
		return ""
	}
	return ": " + strings.Join(leaves, ", ")
}
