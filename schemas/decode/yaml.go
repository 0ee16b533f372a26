package decode

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
)

// readYAML parses one YAML document into a tree; nil if the document is empty.
func readYAML(c chunk) (root *node, err *problem) {
	if err := precheck(c); err != nil {
		return nil, err
	}
	// The parser is somebody else's and fed with anything: its panics are errors here.
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, problemf(pos{c.line, 1}, "not valid YAML: the parser gives up (%v)", r)
		}
	}()
	tokens := lexer.Tokenize(c.text)
	if err := checkTokens(tokens, c.line); err != nil {
		return nil, err
	}
	parsed, parseErr := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if parseErr != nil {
		return nil, syntaxProblem(parseErr, c.line)
	}
	conv := converter{line: c.line, anchors: map[string]*node{}}
	for _, doc := range parsed.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.DirectiveType {
			continue
		}
		if root != nil {
			return nil, problemf(conv.pos(doc.Body.GetToken()), "a second value in one document: put --- between documents")
		}
		if root, err = conv.convert(doc.Body); err != nil {
			return nil, err
		}
	}
	if root == nil {
		return nil, nil
	}
	if conv.firstAlias != (pos{}) {
		if err := checkExpansion(root, conv.firstAlias); err != nil {
			return nil, err
		}
	}
	return root, agree(c, root)
}

func syntaxProblem(err error, line int) *problem {
	at, message := pos{line, 1}, err.Error()
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		message = syntax.GetMessage()
		if tk := syntax.GetToken(); tk != nil && tk.Position != nil {
			at = pos{line + tk.Position.Line - 1, tk.Position.Column}
		}
	}
	return &problem{pos: at, message: "not valid YAML: " + message}
}

// weight is the size of a tree with its aliases expanded.
type weight struct{ values, bytes int }

// checkExpansion refuses documents whose aliases make much out of little.
func checkExpansion(root *node, at pos) *problem {
	known := map[*node]weight{}
	var weigh func(n *node) weight
	weigh = func(n *node) weight {
		if w, ok := known[n]; ok {
			return w
		}
		w := weight{1, len(n.text)}
		if s, ok := n.value.(string); ok {
			w.bytes = len(s)
		}
		add := func(key string, child *node) {
			cw := weigh(child)
			// Saturate: the sums double with every level of aliases.
			w.values = min(w.values+cw.values, 1<<40)
			w.bytes = min(w.bytes+cw.bytes+len(key), 1<<40)
		}
		for _, p := range n.pairs {
			add(p.key, p.value)
		}
		for _, item := range n.items {
			add("", item)
		}
		known[n] = w
		return w
	}
	if w := weigh(root); w.values > len(known)+maxExpansion || w.bytes > maxExpanded {
		return problemf(at, "the aliases of this document expand to %s, more than is read", amount(w))
	}
	return nil
}

func amount(w weight) string {
	if w.values >= 1<<40 || w.bytes >= 1<<40 {
		return "thousands of millions of values"
	}
	return fmt.Sprintf("%d values and %d KiB", w.values, w.bytes>>10)
}
