package decode

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skerry/skerry/schemas"
)

// Document is one object of a manifest. Items of a List are documents of their own.
type Document struct {
	// Object is the typed object as written: no defaults filled in.
	Object schemas.Object
	Kind   *schemas.Kind
	// Raw is the object as the user wrote it, as JSON with sorted keys: what apply
	// keeps as the last applied configuration.
	Raw    []byte
	Source string

	root *node
	file *file
}

// Manifests decodes all objects of a file, which is YAML or JSON with any number of
// documents. source names the file in errors. On error it returns the documents that
// are right and Errors, sorted by position.
func Manifests(table *schemas.Table, source string, data []byte) ([]Document, error) {
	f, p := newFile(source, data)
	m := manifest{table: table, file: f}
	if p != nil {
		m.report(p)
		return nil, m.errors.asError()
	}
	chunks, p := split(f.text)
	if p != nil {
		m.report(p)
		return nil, m.errors.asError()
	}
	for _, c := range chunks {
		roots, p := m.read(c)
		if p != nil {
			m.report(p)
		}
		for _, root := range roots {
			m.document(root, "", "")
		}
	}
	m.errors.sort()
	if len(m.errors) > maxErrors {
		last := m.errors[maxErrors-1]
		last.Path, last.Message = "", fmt.Sprintf("and %d more errors", len(m.errors)-maxErrors+1)
		m.errors = append(m.errors[:maxErrors-1], last)
	}
	return m.docs, m.errors.asError()
}

// manifest is one file being decoded.
type manifest struct {
	table  *schemas.Table
	file   *file
	docs   []Document
	errors Errors
}

func (m *manifest) report(problems ...*problem) {
	for _, p := range problems {
		m.errors = append(m.errors, m.file.error(p))
	}
}

// read parses a chunk, as JSON if it looks like it. What is not JSON after all may be
// YAML in flow style; if it is neither, the file's name decides whose error to show.
func (m *manifest) read(c chunk) ([]*node, *problem) {
	var jsonErr *problem
	if looksJSON(c.text) {
		var roots []*node
		if roots, jsonErr = readJSON(m.file, c); jsonErr == nil {
			return roots, nil
		}
		if strings.HasSuffix(m.file.name, ".json") {
			return nil, jsonErr
		}
	}
	root, err := readYAML(c)
	switch {
	case err != nil && jsonErr != nil && strings.Contains(c.text, `"`) && !strings.Contains(c.text, "#"):
		return nil, jsonErr
	case err != nil:
		return nil, err
	case root == nil:
		return nil, nil
	}
	return []*node{root}, nil
}

// document decodes one object, or the items of a list. kind and version are what a
// typed list says of its items, which need not say it themselves.
func (m *manifest) document(root *node, version, kind string) {
	if root.kind == nullNode {
		return
	}
	if root.kind != mapNode {
		m.report(problemf(root.pos, "expected an object with apiVersion and kind, got %s", root.describe()))
		return
	}
	h := m.head(root, version, kind)
	if h.problem != nil {
		m.report(duplicates(root)...)
		m.report(h.problem)
		return
	}
	if h.list {
		m.list(root, h)
		return
	}
	root = complete(root, version, kind)
	ck := newChecker(h.kind)
	ck.terse = len(m.errors) > maxErrors
	ck.check(root)
	if problems := append(duplicates(root), ck.problems...); len(problems) > 0 {
		m.report(problems...)
		return
	}
	m.typed(root, h.kind)
}

// complete adds to an item of a typed list what the list says of it: what is applied
// must say it itself.
func complete(root *node, version, kind string) *node {
	if version == "" {
		return root
	}
	whole := *root
	whole.pairs = slices.Clone(root.pairs)
	for key, value := range map[string]string{"apiVersion": version, "kind": kind} {
		if _, ok := root.get(key); !ok {
			whole.pairs = append(whole.pairs, pair{key: key, pos: root.pos, value: &node{kind: stringNode, pos: root.pos, text: value, value: value}})
		}
	}
	return &whole
}

// typed makes the document of a tree that has passed the checks.
func (m *manifest) typed(root *node, kind *schemas.Kind) {
	raw, err := root.json()
	if err != nil {
		m.report(problemf(root.pos, "%v", err))
		return
	}
	obj, err := unmarshal(kind, raw)
	if err != nil {
		m.report(problemf(root.pos, "%v", err))
		return
	}
	m.docs = append(m.docs, Document{Object: obj, Kind: kind, Raw: raw, Source: m.file.name, root: root, file: m.file})
}

func (m *manifest) list(root *node, h head) {
	for _, p := range root.pairs {
		switch p.key {
		case "apiVersion", "kind", "metadata", "items":
		default:
			m.report(&problem{pos: p.pos, path: p.key, message: "unknown field; a List has apiVersion, kind, metadata and items"})
		}
	}
	m.report(duplicates(&node{kind: mapNode, pairs: scalarsOf(root)})...)
	items, ok := root.get("items")
	if !ok {
		m.report(problemf(root.pos, "a List needs items"))
		return
	}
	if items.value.kind != listNode {
		m.report(&problem{pos: items.pos, path: "items", message: "expected list, got " + items.value.describe()})
		return
	}
	for _, item := range items.value.items {
		m.document(item, h.itemVersion, h.itemKind)
	}
}

// scalarsOf returns root's entries without what is inside of them: the items of a
// list are looked into one by one.
func scalarsOf(root *node) []pair {
	flat := make([]pair, len(root.pairs))
	for i, p := range root.pairs {
		flat[i] = pair{key: p.key, pos: p.pos, merged: p.merged, value: &node{}}
	}
	return flat
}
