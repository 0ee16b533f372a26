package decode

import (
	"encoding/json"
	"fmt"
)

type nodeKind uint8

const (
	nullNode nodeKind = iota
	boolNode
	intNode
	floatNode
	stringNode
	mapNode
	listNode
)

// node is one value of a manifest with its place. Aliases share nodes, so the tree
// is really a graph without cycles.
type node struct {
	kind  nodeKind
	pos   pos
	plain bool   // a YAML scalar without quotes
	text  string // a scalar as it was written
	value any    // nil, bool, int64, uint64, float64 or string
	pairs []pair
	items []*node
}

// pair is one entry of a map.
type pair struct {
	key    string
	pos    pos // of the key
	value  *node
	merged bool // came in by a merge key: the map's own keys go before it
}

// get returns the entry called key that counts: the last one, as in Kubernetes.
func (n *node) get(key string) (pair, bool) {
	if n == nil || n.kind != mapNode {
		return pair{}, false
	}
	for i := len(n.pairs) - 1; i >= 0; i-- {
		if n.pairs[i].key == key {
			return n.pairs[i], true
		}
	}
	return pair{}, false
}

// str returns the string under key, or "".
func (n *node) str(key string) string {
	p, ok := n.get(key)
	if !ok || p.value.kind != stringNode {
		return ""
	}
	s, _ := p.value.value.(string)
	return s
}

// plainValue returns n as encoding/json would decode it into an any.
func (n *node) plainValue() any {
	switch n.kind {
	case mapNode:
		m := make(map[string]any, len(n.pairs))
		for _, p := range n.pairs {
			m[p.key] = p.value.plainValue()
		}
		return m
	case listNode:
		l := make([]any, len(n.items))
		for i, item := range n.items {
			l[i] = item.plainValue()
		}
		return l
	}
	return n.value
}

// json renders n with sorted keys, aliases expanded and YAML's types resolved.
func (n *node) json() ([]byte, error) {
	data, err := json.Marshal(n.plainValue())
	if err != nil {
		return nil, fmt.Errorf("render as JSON: %w", err)
	}
	return data, nil
}

// describe says what n is, for messages: `string "three"`, "integer 8080", "list".
func (n *node) describe() string {
	switch n.kind {
	case nullNode:
		return "null"
	case boolNode:
		return fmt.Sprintf("boolean %v", n.value)
	case intNode:
		return "integer " + shorten(n.text)
	case floatNode:
		return "number " + shorten(n.text)
	case stringNode:
		s, _ := n.value.(string)
		return fmt.Sprintf("string %q", shorten(s))
	case mapNode:
		return "object"
	}
	return "list"
}

// shorten keeps messages readable when a value is long.
func shorten(s string) string {
	if r := []rune(s[:min(len(s), 400)]); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
