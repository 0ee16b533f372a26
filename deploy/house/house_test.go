package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/skerry/skerry/"

// source is one Go file of the project.
type source struct {
	path string // slash-separated, from the module's root
	dir  string
	test bool
	file *ast.File
	fset *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	var out []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git" || d.Name() == "bin" || d.Name() == ".task") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		out = append(out, source{path: rel, dir: path.Dir(rel), test: strings.HasSuffix(p, "_test.go"), file: f, fset: fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 50 {
		t.Fatalf("only %d files found: the walk is broken", len(out))
	}
	return out
}

func (s source) imports() []string {
	var out []string
	for _, i := range s.file.Imports {
		out = append(out, strings.Trim(i.Path.Value, `"`))
	}
	return out
}

func under(dir, prefix string) bool { return dir == prefix || strings.HasPrefix(dir, prefix+"/") }

// layer ranks the rooms: a package imports only its own layer or those below.
func layer(dir string) int {
	for i, room := range []string{"schemas", "bus", "services", "cli", "deploy"} {
		if under(dir, room) {
			return i
		}
	}
	return -1
}

// service is "agent" for anything under services/agent. services/reconcile is a
// library that services share.
func service(dir string) string {
	rest, ok := strings.CutPrefix(dir, "services/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	if name == "reconcile" {
		return ""
	}
	return name
}

func TestImportsPointDownward(t *testing.T) {
	for _, s := range sources(t) {
		for _, imp := range s.imports() {
			to, own := strings.CutPrefix(imp, module)
			switch {
			case own && layer(to) > layer(s.dir) && !s.test:
				t.Errorf("%s imports %s: imports point downward, cli → services → bus → schemas", s.path, to)
			case own && service(to) != "" && service(s.dir) != "" && service(to) != service(s.dir):
				t.Errorf("%s imports %s: services reach each other only over the bus", s.path, to)
			case strings.HasPrefix(imp, "github.com/nats-io/") && !under(s.dir, "bus"):
				t.Errorf("%s imports %s: only bus imports NATS", s.path, imp)
			case strings.HasPrefix(imp, "github.com/containers/") && !under(s.dir, "services/agent/podman"):
				t.Errorf("%s imports %s: only services/agent/podman talks to Podman", s.path, imp)
			}
		}
	}
}

// TestOnlyTheCommandLineTalks: services and libraries return errors and log; they
// do not print, exit, or read the environment.
func TestOnlyTheCommandLineTalks(t *testing.T) {
	banned := map[string]string{"os.Exit": "exits", "os.Getenv": "reads the environment", "os.LookupEnv": "reads the environment",
		"fmt.Print": "prints", "fmt.Println": "prints", "fmt.Printf": "prints", "log.Fatal": "exits", "log.Print": "prints", "log.Printf": "prints"}
	for _, s := range sources(t) {
		if s.test || !under(s.dir, "schemas") && !under(s.dir, "bus") && !under(s.dir, "services") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Obj == nil {
					if does := banned[x.Name+"."+sel.Sel.Name]; does != "" {
						t.Errorf("%s %s: only cli does", s.fset.Position(n.Pos()), does)
					}
				}
			}
			return true
		})
	}
}

func TestEveryPackageHasOneDocComment(t *testing.T) {
	docs, packages := map[string][]string{}, map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		packages[s.dir] = true
		if s.file.Doc != nil {
			docs[s.dir] = append(docs[s.dir], s.path)
		}
	}
	for dir := range packages {
		if n := len(docs[dir]); n != 1 {
			t.Errorf("%s has %d package comments, want one: %v", dir, n, docs[dir])
		}
	}
}

func TestTestsDoNotSleep(t *testing.T) {
	for _, s := range sources(t) {
		if !s.test || slices.Contains(s.imports(), "testing/synctest") { // a bubble's time is not spent
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
					t.Errorf("%s: wait for the event instead of sleeping", s.fset.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

// TestNamesAndLengths keeps rooms findable: no catch-all packages, no endless files.
func TestNamesAndLengths(t *testing.T) {
	banned := map[string]bool{"util": true, "utils": true, "common": true, "helpers": true, "helper": true, "models": true, "types": true, "misc": true}
	for _, s := range sources(t) {
		if banned[s.file.Name.Name] {
			t.Errorf("%s: package %s says nothing about what is in it", s.path, s.file.Name.Name)
		}
		if n := s.fset.File(s.file.Pos()).LineCount(); n > 400 && !s.test {
			t.Errorf("%s has %d lines: look for the second thing that it does", s.path, n)
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && !s.test {
				if n := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1; n > 80 {
					t.Errorf("%s: %s has %d lines: look for the second thing that it does", s.path, f.Name.Name, n)
				}
			}
		}
	}
}
