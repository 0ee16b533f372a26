package decode

import "strings"

// chunk is the text of one YAML document and where it starts.
type chunk struct {
	text string
	line int // of the chunk's first line, 1-based
}

// split cuts text into YAML documents at the lines that start with "---" or "...",
// which YAML allows nowhere else. What follows "---" on its line stays, indented by
// as much. Documents without content are left out.
func split(text string) ([]chunk, *problem) {
	var chunks []chunk
	start, line, lineNo := 0, 0, 1
	begin := 1
	var flushErr *problem
	flush := func(end int) {
		body := text[start:end]
		if !blank(body) && flushErr == nil {
			if len(chunks) == maxDocuments {
				flushErr = problemf(pos{begin, 1}, "more than %d documents in one file; split it into several files", maxDocuments)
				return
			}
			chunks = append(chunks, chunk{text: unmark(body), line: begin})
		}
	}
	for line < len(text) {
		next := len(text)
		if i := strings.IndexByte(text[line:], '\n'); i >= 0 {
			next = line + i + 1
		}
		switch {
		case marker(text[line:next], "---"):
			flush(line)
			start, begin = line, lineNo
		case marker(text[line:next], "..."):
			flush(line)
			start, begin = next, lineNo+1
		}
		line = next
		lineNo++
	}
	flush(len(text))
	return chunks, flushErr
}

// marker tells whether line is the document marker mark.
func marker(line, mark string) bool {
	rest, ok := strings.CutPrefix(line, mark)
	return ok && (rest == "" || strings.ContainsRune(" \t\n", rune(rest[0])))
}

// unmark replaces a leading "---" by spaces, so that columns stay what they are.
func unmark(body string) string {
	if marker(body, "---") {
		return "   " + body[3:]
	}
	return body
}

// blank tells whether a chunk holds only comments, directives and white space.
func blank(body string) bool {
	for line := range strings.Lines(unmark(body)) {
		if s := strings.TrimSpace(line); s != "" && s[0] != '#' && line[0] != '%' {
			return false
		}
	}
	return true
}
