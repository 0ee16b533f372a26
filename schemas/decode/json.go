package decode

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// readJSON parses the JSON values in c, one after the other, into trees.
func readJSON(f *file, c chunk) ([]*node, *problem) {
	start := f.lines[c.line-1]
	r := jsonReader{file: f, text: c.text, start: start, dec: json.NewDecoder(strings.NewReader(c.text))}
	r.last = start
	r.lastPos = f.at(start)
	r.dec.UseNumber()
	var roots []*node
	for {
		tok, at, err := r.next()
		if errors.Is(err, io.EOF) {
			return roots, nil
		}
		if err != nil {
			return nil, r.problem(err)
		}
		root, err := r.value(tok, at, 1)
		if err != nil {
			return nil, r.problem(err)
		}
		roots = append(roots, root)
	}
}

// jsonReader reads a tree out of encoding/json's tokens, whose ends it tells.
type jsonReader struct {
	file   *file
	text   string
	start  int // offset of text in the file
	dec    *json.Decoder
	values int

	last    int // offset whose position is lastPos
	lastPos pos
}

// at is file.at for offsets that only grow: minified JSON is one long line.
func (r *jsonReader) at(offset int) pos {
	if skipped := r.file.text[r.last:offset]; strings.Contains(skipped, "\n") {
		r.lastPos = r.file.at(offset)
	} else {
		r.lastPos.col += utf8.RuneCountInString(skipped)
	}
	r.last = offset
	return r.lastPos
}

// next returns the next token and where it starts.
func (r *jsonReader) next() (json.Token, pos, error) {
	from := int(r.dec.InputOffset())
	tok, err := r.dec.Token()
	if err != nil {
		return nil, pos{}, err
	}
	rest := r.text[from:]
	from += len(rest) - len(strings.TrimLeft(rest, " \t\r\n,:"))
	at := r.at(r.start + from)
	if r.values++; r.values > maxValues {
		return nil, pos{}, problemf(at, "more than %d values in one document; split it", maxValues)
	}
	return tok, at, nil
}

func (r *jsonReader) value(tok json.Token, at pos, depth int) (*node, error) {
	n := &node{pos: at}
	switch v := tok.(type) {
	case bool:
		n.kind, n.value = boolNode, v
	case string:
		n.kind, n.value, n.text = stringNode, v, v
	case json.Number:
		n.text = v.String()
		if n.kind, n.value = resolve(n.text); n.kind == stringNode {
			return nil, problemf(at, "number %s is too large", shorten(n.text))
		}
	case json.Delim:
		if depth > maxDepth {
			return nil, problemf(at, "nested more than %d levels deep", maxDepth)
		}
		if v == '{' {
			return r.object(n, depth)
		}
		return r.array(n, depth)
	}
	return n, nil
}

func (r *jsonReader) object(n *node, depth int) (*node, error) {
	n.kind = mapNode
	for r.dec.More() {
		tok, at, err := r.next()
		if err != nil {
			return nil, err
		}
		key, ok := tok.(string)
		if !ok {
			return nil, problemf(at, "expected a string as key")
		}
		tok, valueAt, err := r.next()
		if err != nil {
			return nil, err
		}
		value, err := r.value(tok, valueAt, depth+1)
		if err != nil {
			return nil, err
		}
		n.pairs = append(n.pairs, pair{key: key, pos: at, value: value})
	}
	_, err := r.dec.Token()
	return n, err
}

func (r *jsonReader) array(n *node, depth int) (*node, error) {
	n.kind = listNode
	for r.dec.More() {
		tok, at, err := r.next()
		if err != nil {
			return nil, err
		}
		item, err := r.value(tok, at, depth+1)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
	}
	_, err := r.dec.Token()
	return n, err
}

func (r *jsonReader) problem(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	at := r.file.at(r.start + int(r.dec.InputOffset()))
	var syntax *json.SyntaxError
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return problemf(r.file.at(r.start+len(strings.TrimRight(r.text, " \t\n"))), "not valid JSON: it ends too early")
	}
	if errors.As(err, &syntax) {
		at = r.file.at(r.start + min(max(int(syntax.Offset)-1, 0), len(r.text)))
	}
	return problemf(at, "not valid JSON: %v", err)
}

// looksJSON tells whether a document is meant as JSON.
func looksJSON(text string) bool {
	s := strings.TrimLeft(text, " \t\n")
	return s != "" && (s[0] == '{' || s[0] == '[')
}
