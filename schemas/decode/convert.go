package decode

import (
	"encoding/base64"
	"math"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// converter makes our tree out of the parser's: types resolved as in YAML 1.1,
// aliases and merge keys followed, positions made absolute.
type converter struct {
	line       int // of the document's first line
	anchors    map[string]*node
	firstAlias pos
	merged     int // pairs that merge keys have brought in
}

func (c *converter) pos(tk *token.Token) pos {
	if tk == nil || tk.Position == nil {
		return pos{c.line, 1}
	}
	return pos{c.line + tk.Position.Line - 1, tk.Position.Column}
}

func (c *converter) convert(n ast.Node) (*node, *problem) {
	switch n := n.(type) {
	case nil:
		return &node{pos: pos{c.line, 1}}, nil
	case *ast.MappingNode:
		return c.mapping(n, n.Values)
	case *ast.MappingValueNode:
		return c.mapping(n, []*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		return c.sequence(n)
	case *ast.AnchorNode:
		value, err := c.convert(n.Value)
		if err == nil {
			c.anchors[n.Name.GetToken().Value] = value
		}
		return value, err
	case *ast.AliasNode:
		return c.alias(n)
	case *ast.TagNode:
		return c.tagged(n)
	case *ast.LiteralNode:
		return &node{kind: stringNode, pos: c.pos(n.Start), value: n.Value.Value, text: n.Value.Value}, nil
	case *ast.StringNode:
		return c.scalar(n, n.Value)
	case ast.ScalarNode:
		return c.scalar(n, n.GetToken().Value)
	}
	return nil, problemf(c.pos(n.GetToken()), "not valid YAML here: %s", strings.ToLower(n.Type().YAMLName()))
}

func (c *converter) scalar(n ast.Node, text string) (*node, *problem) {
	tk := n.GetToken()
	out := &node{pos: c.pos(tk), text: text}
	switch tk.Type {
	case token.SingleQuoteType, token.DoubleQuoteType:
		out.kind, out.value = stringNode, text
		return out, nil
	case token.ImplicitNullType:
		out.text = ""
		return out, nil
	}
	out.plain = true
	out.kind, out.value = resolve(text)
	if f, ok := out.value.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return nil, problemf(out.pos, "%s is not a number that JSON has: quote it if it is meant as text", text)
	}
	return out, nil
}

func (c *converter) sequence(n *ast.SequenceNode) (*node, *problem) {
	out := &node{kind: listNode, pos: c.pos(n.Start), items: make([]*node, 0, len(n.Values))}
	for _, v := range n.Values {
		item, err := c.convert(v)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, item)
	}
	return out, nil
}

func (c *converter) mapping(n ast.Node, values []*ast.MappingValueNode) (*node, *problem) {
	out := &node{kind: mapNode, pos: c.pos(n.GetToken()), pairs: make([]pair, 0, len(values))}
	if m, ok := n.(*ast.MappingNode); ok && m.IsFlowStyle {
		out.pos = c.pos(m.Start)
	} else if len(values) > 0 {
		out.pos = c.pos(values[0].Key.GetToken())
	}
	at := make(map[string]int, len(values)) // keys' places in out.pairs
	for _, v := range values {
		value, err := c.convert(v.Value)
		if err != nil {
			return nil, err
		}
		p := pair{pos: c.pos(v.Key.GetToken()), value: value}
		if v.Key.IsMergeKey() {
			if err := c.merge(out, at, p); err != nil {
				return nil, err
			}
			continue
		}
		if p.key, err = c.key(v.Key, p.pos); err != nil {
			return nil, err
		}
		if i, ok := at[p.key]; ok && out.pairs[i].merged {
			out.pairs[i] = p
			continue
		}
		at[p.key] = len(out.pairs)
		out.pairs = append(out.pairs, p)
	}
	return out, nil
}

func (c *converter) key(n ast.Node, at pos) (string, *problem) {
	if k, ok := n.(*ast.MappingKeyNode); ok {
		n = k.Value
	}
	value, err := c.convert(n)
	if err != nil {
		return "", err
	}
	key, ok := keyString(value.kind, value.value)
	if !ok {
		return "", problemf(at, "expected a string as key, got %s", value.describe())
	}
	return key, nil
}

// merge adds to out what the maps under the merge key m have. As in kubectl's reader,
// and other than in YAML 1.1, it overrides the keys that stand before it.
func (c *converter) merge(out *node, at map[string]int, m pair) *problem {
	sources := []*node{m.value}
	if m.value.kind == listNode {
		sources = slices.Clone(m.value.items)
		slices.Reverse(sources) // the first map has the last word
	}
	for _, source := range sources {
		if source.kind != mapNode {
			return problemf(m.pos, "<< takes a map or a list of maps, not %s", source.describe())
		}
		for _, p := range source.pairs {
			if c.merged++; c.merged > maxExpansion {
				return problemf(m.pos, "the merge keys of this document add more than %d entries", maxExpansion)
			}
			p.merged = true
			if i, ok := at[p.key]; ok {
				out.pairs[i] = p
				continue
			}
			at[p.key] = len(out.pairs)
			out.pairs = append(out.pairs, p)
		}
	}
	return nil
}

func (c *converter) alias(n *ast.AliasNode) (*node, *problem) {
	at := c.pos(n.Start)
	if c.firstAlias == (pos{}) {
		c.firstAlias = at
	}
	name := n.Value.GetToken().Value
	target, ok := c.anchors[name]
	if !ok {
		return nil, problemf(at, "alias *%s: no anchor &%s stands before it", name, name)
	}
	return target, nil
}

// tagged resolves a value with an explicit tag.
func (c *converter) tagged(n *ast.TagNode) (*node, *problem) {
	tag := strings.TrimPrefix(n.Start.Value, "!!")
	if n.Value == nil {
		if tag == "str" {
			return &node{kind: stringNode, pos: c.pos(n.Start), value: ""}, nil
		}
		return &node{pos: c.pos(n.Start)}, nil
	}
	value, err := c.convert(n.Value)
	if err != nil {
		return nil, err
	}
	at := c.pos(n.Start)
	if value.plain || value.kind == stringNode {
		return retype(value, n.Start.Value, at)
	}
	if tag == "map" && value.kind == mapNode || tag == "seq" && value.kind == listNode {
		return value, nil
	}
	return nil, problemf(at, "tag %s does not fit the %s that follows", n.Start.Value, value.describe())
}

func retype(n *node, name string, at pos) (*node, *problem) {
	tag := strings.TrimPrefix(name, "!!")
	out := *n
	out.plain = false
	switch tag {
	case "str", "timestamp":
		out.kind, out.value = stringNode, n.text
		return &out, nil
	case "binary":
		data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.text), ""))
		if err != nil {
			return nil, problemf(at, "tag !!binary: not base64: %v", err)
		}
		out.kind, out.value = stringNode, string(data)
		return &out, nil
	}
	out.kind, out.value = resolve(n.text)
	want, known := map[string]nodeKind{"int": intNode, "float": floatNode, "bool": boolNode, "null": nullNode}[tag]
	if i, ok := out.value.(int64); ok && want == floatNode {
		out.kind, out.value = floatNode, float64(i)
	}
	if !known {
		return nil, problemf(at, "tag %s is not known", name)
	}
	if out.kind != want {
		return nil, problemf(at, "tag %s does not fit %s", name, n.describe())
	}
	return &out, nil
}
