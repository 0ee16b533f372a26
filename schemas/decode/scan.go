package decode

import "strings"

// precheck bounds what the YAML lexer will make of a document before it runs: the
// lexer's tokens take a few hundred bytes each, whatever they stand for, and the
// parser recurses. It counts structural characters outside of strings, comments and
// block scalars, and the depth of brackets.
func precheck(c chunk) *problem {
	if len(c.text) > maxDocument {
		return problemf(pos{c.line, 1}, "the document has %d KiB, more than the %d KiB that are read of one YAML document; split it, or write it as JSON",
			len(c.text)>>10, maxDocument>>10)
	}
	s := scan{line: c.line, blockIndent: noBlock}
	for line := range strings.Lines(c.text) {
		if p := s.scanLine(strings.TrimSuffix(line, "\n")); p != nil {
			return p
		}
		s.line++
	}
	return nil
}

const noBlock = -2

// scan is the state between lines.
type scan struct {
	line        int
	quote       byte // ' or " inside of a quoted scalar
	depth       int  // of brackets
	tokens      int
	blockIndent int  // of the parent of a block scalar, or noBlock
	last        byte // the last character that was no space
}

func (s *scan) scanLine(line string) *problem {
	indent := len(line) - len(strings.TrimLeft(line, " "))
	if s.blockIndent != noBlock {
		if indent == len(line) || indent > s.blockIndent {
			return nil
		}
		s.blockIndent = noBlock
	}
	parent := -1 // column of the innermost key or dash of this line
	if s.depth == 0 && s.quote == 0 {
		s.last = 0
	}
	for i := indent; i < len(line); i++ {
		c := line[i]
		if s.quote != 0 {
			i += s.quoted(line, i)
			continue
		}
		if c == ' ' || c == '\t' {
			continue
		}
		if c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			s.tokens++
			return s.limit(i)
		}
		if parent < 0 || s.last == '-' && s.depth == 0 {
			parent = i
		}
		if p := s.char(line, i, parent); p != nil || s.blockIndent != noBlock {
			return p
		}
		s.last = c
	}
	s.tokens++
	return s.limit(0)
}

// quoted steps over what is inside of a quoted scalar; it returns how many
// characters more than one it took.
func (s *scan) quoted(line string, i int) int {
	switch {
	case s.quote == '"' && line[i] == '\\':
		return 1
	case s.quote == '\'' && strings.HasPrefix(line[i:], "''"):
		return 1
	case line[i] == s.quote:
		s.last, s.quote = s.quote, 0
	}
	return 0
}

func (s *scan) char(line string, i, parent int) *problem {
	atStart := s.last == 0 || strings.IndexByte(":,[{-?", s.last) >= 0
	followed := i+1 == len(line) || line[i+1] == ' ' || line[i+1] == '\t'
	switch c := line[i]; c {
	case '"', '\'':
		if atStart {
			s.quote = c
			s.tokens++
		}
	case '[', '{':
		if atStart || s.depth > 0 {
			s.depth++
			s.tokens++
		}
	case ']', '}':
		s.depth = max(0, s.depth-1)
		s.tokens++
	case ',', '&', '*', '!':
		s.tokens += 2
	case '-', '?', ':':
		if followed || s.depth > 0 {
			s.tokens += 2
		}
	case '|', '>':
		if s.depth == 0 && blockHeader(line[i+1:]) && (atStart || line[i-1] == ' ') {
			s.blockIndent = parent
			if s.last == 0 {
				s.blockIndent = -1
			}
			s.last = 0
		}
	}
	return s.limit(i)
}

func (s *scan) limit(col int) *problem {
	at := pos{s.line, col + 1}
	if s.depth > maxDepth {
		return problemf(at, "nested more than %d levels deep", maxDepth)
	}
	if s.tokens > 2*maxValues {
		return problemf(at, "more than %d values in one document; split it", maxValues)
	}
	return nil
}

// blockHeader tells whether what follows a | or > makes it a block scalar's start.
func blockHeader(rest string) bool {
	rest = strings.TrimLeft(rest, "0123456789+-")
	rest = strings.TrimLeft(rest, " \t")
	return rest == "" || rest[0] == '#'
}
