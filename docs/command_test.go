package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// grammar is the command line as the source declares it: kong's commands are fields of
// structs, tagged cmd.
type grammar struct {
	t       *testing.T
	structs map[string]*ast.StructType // "rollout.Command", "main.root"
}

func newGrammar(t *testing.T) *grammar {
	t.Helper()
	g := &grammar{t, map[string]*ast.StructType{}}
	files, err := filepath.Glob(filepath.Join(root, "cli", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	below, err := filepath.Glob(filepath.Join(root, "cli", "*", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(files, below...) {
		// Other systems' variants have fewer commands.
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_other.go") || strings.HasSuffix(name, "_windows.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if s, ok := spec.Type.(*ast.StructType); ok {
					g.structs[f.Name.Name+"."+spec.Name.Name] = s
				}
			}
			return true
		})
	}
	return g
}

// commands are the names below the struct, aliases included, each with the type that is behind it.
func (g *grammar) commands(name string) map[string]string {
	out := map[string]string{}
	s := g.structs[name]
	if s == nil {
		return out
	}
	pkg, _, _ := strings.Cut(name, ".")
	for _, f := range s.Fields.List {
		to := typeName(pkg, f.Type)
		if len(f.Names) == 0 { // embedded
			for k, v := range g.commands(to) {
				out[k] = v
			}
			continue
		}
		tag := reflect.StructTag("")
		if f.Tag != nil {
			text, err := strconv.Unquote(f.Tag.Value)
			if err != nil {
				g.t.Fatal(err)
			}
			tag = reflect.StructTag(text)
		}
		if _, ok := tag.Lookup("cmd"); !ok {
			continue
		}
		own := tag.Get("name")
		if own == "" {
			own = dashed(f.Names[0].Name)
		}
		out[own] = to
		for _, alias := range strings.Split(tag.Get("aliases"), ",") {
			out[alias] = to
		}
	}
	delete(out, "")
	return out
}

func typeName(pkg string, e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return pkg + "." + e.Name
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			return x.Name + "." + e.Sel.Name
		}
	}
	return ""
}

// dashed is how kong names a field: UseContext is use-context.
func dashed(field string) string {
	return strings.ToLower(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(field, "$1-$2"))
}

// lines of a console block, and code within a sentence, that call skerry.
var (
	typed  = regexp.MustCompile(`(?m)(?:^\$ |\| )(?:bin/)?skerry ([^\n]*)`)
	spoken = regexp.MustCompile("`(?:bin/)?skerry ([^`\n]+)`")
)

func TestCommandsExist(t *testing.T) {
	g := newGrammar(t)
	top := g.commands("main.root")
	if len(top) < 25 {
		t.Fatalf("only %d commands found: the search is broken", len(top))
	}
	found := 0
	for name, text := range documents(t) {
		calls := append(typed.FindAllStringSubmatch(text, -1), spoken.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1)...)
		for _, call := range calls {
			found++
			here := top
			for i, word := range words(call[1]) {
				to, ok := here[word]
				if !ok {
					t.Errorf("%s: `skerry %s`: there is no command %s", name, call[1], word)
					break
				}
				next := g.commands(to)
				if len(next) == 0 || i == 0 && word == "create" { // create also takes -f
					break
				}
				here = next
			}
		}
	}
	if found < 60 {
		t.Errorf("only %d commands found: the search is broken", found)
	}
}

// words are those of a call before its second flag; flags of all commands may come first.
func words(call string) (out []string) {
	skip := false
	for _, w := range strings.Fields(call) {
		switch {
		case skip:
			skip = false
		case strings.HasPrefix(w, "-"):
			if len(out) > 0 {
				return out
			}
			skip = !strings.Contains(w, "=")
		default:
			out = append(out, w)
		}
	}
	return out
}
