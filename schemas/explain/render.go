package explain

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

const width = 80

// Render writes the explanation as kubectl prints it. With recursive, the fields of
// the fields are listed too, and their texts left out.
func (e *Explanation) Render(recursive bool) string {
	var b strings.Builder
	if e.Kind.Resource.Group != "" {
		fmt.Fprintf(&b, "GROUP:      %s\n", e.Kind.Resource.Group)
	}
	fmt.Fprintf(&b, "KIND:       %s\nVERSION:    %s\n\n", e.Kind.Kind, e.Kind.Version)
	if e.Field != nil {
		fmt.Fprintf(&b, "FIELD: %s %s\n\n", e.Field.Name, e.Field.mark())
	}
	b.WriteString("DESCRIPTION:\n")
	text := e.Description
	if text == "" {
		text = "<empty>"
	}
	wrap(&b, text, 4)
	if len(e.Fields) == 0 {
		return b.String()
	}
	b.WriteString("\nFIELDS:\n")
	if recursive {
		tree(&b, e.Fields, 2, nil)
		return b.String()
	}
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "  %s\t%s\n", f.Name, f.mark())
		text := f.Description
		if text == "" {
			text = "<no description>"
		}
		wrap(&b, text, 4)
		b.WriteByte('\n')
	}
	return b.String()
}

func (e Entry) mark() string {
	if e.Required {
		return "<" + e.Type + "> -required-"
	}
	return "<" + e.Type + ">"
}

// tree lists fields and what is below them. above guards against types that contain
// themselves.
func tree(b *strings.Builder, fields []Entry, indent int, above []reflect.Type) {
	for _, f := range fields {
		fmt.Fprintf(b, "%*s%s\t%s\n", indent, "", f.Name, f.mark())
		if t := element(f.goType); !slices.Contains(above, t) {
			tree(b, entries(t), indent+2, append(slices.Clip(above), t))
		}
	}
}

// wrap writes text in lines of at most width characters, each indented. Lines of the
// text stay apart; those that are indented themselves are examples and not filled.
func wrap(b *strings.Builder, text string, indent int) {
	pad := strings.Repeat(" ", indent)
	for line := range strings.Lines(strings.TrimSpace(text)) {
		line = strings.TrimRight(line, " \n")
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			b.WriteString(pad + line + "\n")
			continue
		}
		current := ""
		for _, word := range strings.Fields(line) {
			if current != "" && len(pad)+len(current)+1+len(word) > width {
				b.WriteString(pad + current + "\n")
				current = ""
			}
			current = strings.TrimPrefix(current+" "+word, " ")
		}
		b.WriteString(strings.TrimRight(pad+current, " ") + "\n")
	}
}
