package decode

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Error is one thing that is wrong with a manifest.
type Error struct {
	Source  string // the file's name
	Line    int    // 1-based
	Column  int    // 1-based, in characters
	Path    string // spec.template.spec.containers[0].imagee; empty if it is about no field
	Message string
	Text    string // the source line, without its end
	// Unknown: the object is of a kind that the table does not have.
	Unknown bool
}

// Error renders the error as a compiler does: position, message, source line, caret.
func (e Error) Error() string {
	head := fmt.Sprintf("%s:%d:%d: ", e.Source, e.Line, e.Column)
	if e.Path != "" {
		head += e.Path + ": "
	}
	text, pad := excerpt(e.Text, e.Column)
	return fmt.Sprintf("%s\n%5d | %s\n%5s | %s^", strings.Map(printable, head+e.Message), e.Line, text, "", pad)
}

// Errors are all that is wrong with a file, in the order of their positions.
type Errors []Error

// Error renders every error, one after the other.
func (e Errors) Error() string {
	parts := make([]string, len(e))
	for i := range e {
		parts[i] = e[i].Error()
	}
	return strings.Join(parts, "\n")
}

// UnknownKinds tells whether the table lacks the kind of an object: with another one it may be right.
func (e Errors) UnknownKinds() bool {
	return slices.ContainsFunc(e, func(one Error) bool { return one.Unknown })
}

// asError returns e as an error, sorted, or nil if it is empty.
func (e Errors) asError() error {
	if len(e) == 0 {
		return nil
	}
	e.sort()
	return e
}

func (e Errors) sort() {
	slices.SortStableFunc(e, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

const excerptWidth = 160

// excerpt returns what is shown of line and what stands before the caret. Tabs are
// kept, so that the caret lines up; long lines are cut around the column.
func excerpt(line string, column int) (text, pad string) {
	runes := []rune(line)
	column = min(max(column, 1), len(runes)+1)
	start := 0
	if len(runes) > excerptWidth && column > excerptWidth*3/4 {
		start = column - excerptWidth/2
	}
	end := min(len(runes), start+excerptWidth)
	shown := make([]rune, 0, end-start)
	before := make([]rune, 0, column-start)
	for i, r := range runes[start:end] {
		if r != '\t' {
			r = printable(r)
		}
		shown = append(shown, r)
		if start+i < column-1 {
			if r != '\t' {
				r = ' '
			}
			before = append(before, r)
		}
	}
	return string(shown), string(before)
}

// printable replaces control characters, which could drive a terminal.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '\uFFFD'
}

// pos is a place in a file: 1-based line and column, the column in characters.
type pos struct{ line, col int }

// problem is an error that does not know its file yet.
type problem struct {
	pos     pos
	path    string
	message string
	unknown bool
}

func (p *problem) Error() string { return p.message }

func problemf(at pos, format string, args ...any) *problem {
	return &problem{pos: at, message: fmt.Sprintf(format, args...)}
}
