package decode

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/shape"
)

// checker walks a tree along a Go type and notes all that does not fit.
type checker struct {
	root     reflect.Type
	path     []string // "spec", "containers", "[0]", …
	problems []*problem
	terse    bool // says only what is wrong: hints take time, and there are enough of them
	fields   map[reflect.Type][]shape.Field
	index    map[string][]location // where each field name occurs; built when asked for
}

func newChecker(kind *schemas.Kind) *checker {
	return &checker{root: shape.Deref(reflect.TypeOf(kind.New())), fields: map[reflect.Type][]shape.Field{}}
}

// check walks root. Of a kind without a Go type the server knows what fits, but for the metadata.
func (c *checker) check(root *node) {
	if c.root != reflect.TypeFor[unstructured.Unstructured]() {
		c.walk(root, root.pos, c.root)
		return
	}
	for _, p := range root.pairs {
		if p.key == "metadata" {
			c.path = []string{p.key}
			c.walk(p.value, p.pos, reflect.TypeFor[metav1.ObjectMeta]())
		}
	}
}

func (c *checker) report(at pos, format string, args ...any) {
	p := problemf(at, format, args...)
	p.path = joinPath(c.path)
	c.problems = append(c.problems, p)
	c.terse = c.terse || len(c.problems) > maxErrors
}

func joinPath(steps []string) string {
	var b strings.Builder
	for i, s := range steps {
		if i > 0 && !strings.HasPrefix(s, "[") {
			b.WriteByte('.')
		}
		b.WriteString(s)
	}
	return b.String()
}

// walk checks n against t. keyPos is the place of n's key, for values without a
// place of their own.
func (c *checker) walk(n *node, keyPos pos, t reflect.Type) {
	t = shape.Deref(t)
	if n.kind == nullNode {
		return // null is the same as not there
	}
	switch {
	case shape.Opaque(t):
		c.opaque(n, t)
	case shape.Bytes(t):
		c.bytes(n)
	case t.Kind() == reflect.Struct:
		c.object(n, t)
	case t.Kind() == reflect.Map:
		c.entries(n, t)
	case t.Kind() == reflect.Slice:
		c.list(n, t)
	case t.Kind() != reflect.Interface:
		c.scalar(n, t)
	}
}

func (c *checker) object(n *node, t reflect.Type) {
	if n.kind != mapNode {
		c.report(n.pos, "expected object, got %s%s", n.describe(), dashHint(n))
		return
	}
	fields, ok := c.fields[t]
	if !ok {
		fields = shape.Fields(t)
		c.fields[t] = fields
	}
	for _, p := range n.pairs {
		c.path = append(c.path, p.key)
		if f := fieldNamed(fields, p.key); f != nil {
			c.walk(p.value, p.pos, f.Type)
		} else {
			c.report(p.pos, "%s", c.unknown(p.key, fields))
		}
		c.path = c.path[:len(c.path)-1]
	}
}

func fieldNamed(fields []shape.Field, name string) *shape.Field {
	for i := range fields {
		if fields[i].Name == name {
			return &fields[i]
		}
	}
	return nil
}

func dashHint(n *node) string {
	if n.kind == listNode && len(n.items) == 1 && n.items[0].kind == mapNode {
		return `: leave out the "-"`
	}
	return ""
}

func (c *checker) entries(n *node, t reflect.Type) {
	if n.kind != mapNode {
		c.report(n.pos, "expected object, got %s", n.describe())
		return
	}
	for _, p := range n.pairs {
		c.path = append(c.path, "["+p.key+"]")
		c.walk(p.value, p.pos, t.Elem())
		c.path = c.path[:len(c.path)-1]
	}
}

func (c *checker) list(n *node, t reflect.Type) {
	if n.kind != listNode {
		hint := ""
		switch elem := shape.Deref(t.Elem()); {
		case elem.Kind() == reflect.String && n.kind != mapNode:
			hint = fmt.Sprintf(": write [%q]", shorten(n.text))
		case elem.Kind() == reflect.Struct && n.kind == mapNode:
			hint = `: put "- " before it`
		}
		c.report(n.pos, "expected list, got %s%s", n.describe(), hint)
		return
	}
	for i, item := range n.items {
		c.path = append(c.path, "["+strconv.Itoa(i)+"]")
		c.walk(item, item.pos, t.Elem())
		c.path = c.path[:len(c.path)-1]
	}
}

func (c *checker) bytes(n *node) {
	s, ok := n.value.(string)
	if !ok {
		c.report(n.pos, "expected base64 text, got %s", n.describe())
	} else if _, err := base64.StdEncoding.DecodeString(s); err != nil {
		c.report(n.pos, "not base64 (%v): plain text goes under stringData", err)
	}
}

func (c *checker) scalar(n *node, t reflect.Type) {
	switch t.Kind() {
	case reflect.String:
		if n.kind != stringNode {
			c.report(n.pos, "expected string, got %s", n.describe()+stringHint(n))
		}
	case reflect.Bool:
		if n.kind != boolNode {
			c.report(n.pos, "expected boolean, got %s%s", n.describe(), unquoteHint(n, boolNode))
		}
	case reflect.Float32, reflect.Float64:
		if n.kind != intNode && n.kind != floatNode {
			c.report(n.pos, "expected number, got %s%s", n.describe(), unquoteHint(n, floatNode))
		}
	default:
		c.integer(n, t)
	}
}

func (c *checker) integer(n *node, t reflect.Type) {
	if n.kind != intNode && n.kind != floatNode {
		c.report(n.pos, "expected integer, got %s%s", n.describe(), unquoteHint(n, intNode))
		return
	}
	data, err := json.Marshal(n.value)
	if err == nil && json.Unmarshal(data, reflect.New(t).Interface()) == nil {
		return
	}
	if n.kind == intNode {
		c.report(n.pos, "%s does not fit into %d bits", shorten(n.text), t.Bits())
		return
	}
	c.report(n.pos, "expected integer, got %s", n.describe())
}

// stringHint says why an unquoted scalar is no string and what to write.
func stringHint(n *node) string {
	switch {
	case !n.plain && n.kind != mapNode && n.kind != listNode:
		return fmt.Sprintf(": write %q", n.text)
	case n.kind == boolNode && n.text != "true" && n.text != "false":
		return fmt.Sprintf(": an unquoted %s is a boolean in YAML, write %q", n.text, n.text)
	case n.plain:
		return fmt.Sprintf(": quote it, %q", shorten(n.text))
	}
	return ""
}

// unquoteHint says that a string would be of the wanted kind without its quotes.
func unquoteHint(n *node, want nodeKind) string {
	if n.kind != stringNode || n.plain {
		return ""
	}
	kind, _ := resolve(n.text)
	if kind == want || kind == intNode && want == floatNode {
		return ": leave out the quotes"
	}
	return ""
}
