package docs

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the project's folder as seen from this one.
const root = ".."

// documents are all Markdown files, by their slash-separated path from the root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if filepath.Ext(p) != ".md" {
			return nil
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		out[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 8 {
		t.Fatalf("only %d documents found: the walk is broken", len(out))
	}
	return out
}

// document is one of them.
func document(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func exists(p string) bool {
	_, err := os.Stat(filepath.Join(root, filepath.FromSlash(p)))
	return err == nil
}

var (
	fences = regexp.MustCompile("(?ms)^```.*?^```")
	links  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	anchor = regexp.MustCompile(`(?m)^#+ (.+)$`)
	noise  = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchors are the headings of a text as links name them.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range anchor.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
		out[strings.ReplaceAll(noise.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	return out
}

func TestLinksLeadSomewhere(t *testing.T) {
	docs := documents(t)
	for name, text := range docs {
		for _, m := range links.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, section, _ := strings.Cut(m[1], "#")
			target := name
			if file != "" {
				target = path.Join(path.Dir(name), file)
			}
			if !exists(target) {
				t.Errorf("%s: link to %s: there is no %s", name, m[1], target)
			}
			if section != "" && !anchors(docs[target])[section] {
				t.Errorf("%s: link to %s: %s has no such heading", name, m[1], target)
			}
		}
	}
}

var (
	code  = regexp.MustCompile("`([^`\n]+)`")
	paths = regexp.MustCompile(`^(\./)?(cli|services|bus|schemas|deploy)(/[A-Za-z0-9_.-]+)+/?$`)
)

func TestPathsExist(t *testing.T) {
	found := 0
	for name, text := range documents(t) {
		for _, m := range code.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
			for _, word := range strings.Fields(m[1]) {
				if !paths.MatchString(word) {
					continue
				}
				found++
				if !exists(word) {
					t.Errorf("%s: there is no %s", name, word)
				}
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d paths found: the search is broken", found)
	}
}

// TestEveryRoomIsListed: who adds a folder of code says in the architecture what it is for.
func TestEveryRoomIsListed(t *testing.T) {
	text := document(t, "docs/architecture.md")
	_, rooms, _ := strings.Cut(text, "## The rooms of the code")
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil || !d.IsDir() {
			return err
		}
		rel = filepath.ToSlash(rel)
		if strings.HasPrefix(rel, ".") && rel != "." || d.Name() == "testdata" || rel == "bin" {
			return filepath.SkipDir
		}
		own, err := filepath.Glob(filepath.Join(p, "*.go"))
		if err != nil || len(own) == 0 {
			return err
		}
		for dir := rel; ; dir = path.Dir(dir) {
			if strings.Contains(rooms, "`"+dir+"`") {
				return nil
			}
			// Small rooms within one that is listed need no line of their own.
			if strings.Count(dir, "/") < 2 {
				t.Errorf("docs/architecture.md does not say what %s is for", rel)
				return nil
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

var requirement = regexp.MustCompile(`^\s*(?:require\s+)?([a-z0-9.-]+\.[a-z]+/\S+) v\S+$`)

// TestDependenciesHaveReasons: each direct dependency has a line, and no line is stale.
func TestDependenciesHaveReasons(t *testing.T) {
	text := document(t, "docs/dependencies.md")
	table, _, _ := strings.Cut(text, "## Tools")
	direct := map[string]bool{}
	for line := range strings.Lines(document(t, "go.mod")) {
		if m := requirement.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			direct[m[1]] = true
			if !strings.Contains(table, "| `"+m[1]+"` |") {
				t.Errorf("docs/dependencies.md does not say what %s is for", m[1])
			}
		}
	}
	if len(direct) < 9 {
		t.Fatalf("only %d direct dependencies found: the search is broken", len(direct))
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(table, -1) {
		if !direct[m[1]] {
			t.Errorf("docs/dependencies.md speaks of %s, which is no direct dependency", m[1])
		}
	}
}
