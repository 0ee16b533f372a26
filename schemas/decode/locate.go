package decode

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Position returns where the field at path stands, or the nearest of its parents
// that was written. path is as validation and the causes of a Status have it:
// spec.containers[0].image, metadata.labels[app]. Scalars are found at their value,
// lists and maps at their key.
func (d Document) Position(path string) (line, col int) {
	at := d.root.pos
	n := d.root
	for rest := path; rest != ""; {
		var step string
		step, rest = nextStep(rest)
		child, keyPos, ok := n.child(step)
		if !ok {
			break
		}
		if at = keyPos; child.kind != mapNode && child.kind != listNode && child.kind != nullNode {
			at = child.pos
		}
		n = child
	}
	return at.line, at.col
}

// At returns an Error about the field at path, with its position in the manifest.
func (d Document) At(path, message string) Error {
	line, col := d.Position(path)
	return d.file.error(&problem{pos: pos{line, col}, path: path, message: message})
}

// Locate gives validation errors their positions in the manifest.
func Locate(d Document, list field.ErrorList) Errors {
	var errs Errors
	for _, err := range list {
		errs = append(errs, d.At(err.Field, err.ErrorBody()))
	}
	errs.sort()
	return errs
}

// nextStep cuts "a.b[c]" into "a" and "b[c]", and "[c].d" into "[c]" and "d".
func nextStep(path string) (step, rest string) {
	if path[0] == '[' {
		if end := strings.IndexByte(path, ']'); end > 0 {
			return path[:end+1], strings.TrimPrefix(path[end+1:], ".")
		}
		return path, ""
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		return path, ""
	}
	return path[:end], strings.TrimPrefix(path[end:], ".")
}

// child follows one step: a key, [index] or [key].
func (n *node) child(step string) (*node, pos, bool) {
	inner, bracketed := strings.CutPrefix(step, "[")
	inner = strings.TrimSuffix(inner, "]")
	if bracketed && n.kind == listNode {
		for i, digits := 0, inner; digits != ""; digits = digits[1:] {
			if digits[0] < '0' || digits[0] > '9' || i > len(n.items) {
				break
			}
			i = i*10 + int(digits[0]-'0')
			if len(digits) == 1 && i < len(n.items) {
				return n.items[i], n.items[i].pos, true
			}
		}
		return nil, pos{}, false
	}
	if p, ok := n.get(inner); ok {
		return p.value, p.pos, true
	}
	return nil, pos{}, false
}
