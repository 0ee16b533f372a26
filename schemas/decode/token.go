package decode

import "github.com/goccy/go-yaml/token"

// checkTokens bounds what the parser is slow or recursive in: the nesting of block
// collections, the keys of one map, and values that are left out.
func checkTokens(tokens token.Tokens, line int) *problem {
	if len(tokens) > maxValues {
		return problemf(pos{line, 1}, "more than %d values in one document; split it", maxValues)
	}
	b := blocks{line: line}
	for i, tk := range tokens {
		var err *problem
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			b.flow = append(b.flow, bracket{list: tk.Type == token.SequenceStartType})
		case token.CollectEntryType, token.SequenceEndType, token.MappingEndType:
			b.endFlow(tk.Type != token.CollectEntryType)
		case token.SequenceEntryType, token.MappingKeyType:
			err = b.enter(tk, tk)
		case token.MappingValueType:
			if len(b.flow) > 0 {
				b.flow[len(b.flow)-1].valued = true
			} else if i > 0 {
				err = b.enter(tokens[i-1], tk)
			}
		}
		if err == nil && b.empty > maxEmpty {
			err = problemf(pos{line + tk.Position.Line - 1, tk.Position.Column}, "more than %d values are left out in one document", maxEmpty)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// blocks follows the open collections of a document.
type blocks struct {
	line   int // of the document's first line
	levels []level
	flow   []bracket
	empty  int // values left out so far
}

// bracket is an open [ or {; valued tells whether its current entry has a value.
type bracket struct{ list, valued bool }

// endFlow ends an entry between brackets, and the collection if last.
func (b *blocks) endFlow(last bool) {
	if len(b.flow) == 0 {
		return
	}
	top := &b.flow[len(b.flow)-1]
	if !top.list && !top.valued {
		b.empty++
	}
	top.valued = false
	if last {
		b.flow = b.flow[:len(b.flow)-1]
	}
}

type level struct{ column, entries int }

// enter counts an entry that starts at first and whose value follows mark.
func (b *blocks) enter(first, mark *token.Token) *problem {
	column := first.Position.Column
	for len(b.levels) > 0 && b.levels[len(b.levels)-1].column > column {
		b.levels = b.levels[:len(b.levels)-1]
	}
	if len(b.levels) == 0 || b.levels[len(b.levels)-1].column < column {
		b.levels = append(b.levels, level{column: column})
	}
	top := &b.levels[len(b.levels)-1]
	if mark.Type != token.SequenceEntryType {
		top.entries++
	}
	if next := mark.Next; next == nil || next.Position.Line > mark.Position.Line && next.Position.Column <= column {
		b.empty++
	}
	at := pos{b.line + first.Position.Line - 1, column}
	switch {
	case len(b.levels) > maxDepth:
		return problemf(at, "nested more than %d levels deep", maxDepth)
	case top.entries > maxKeys:
		return problemf(at, "more than %d keys in one map; split it, or write it as JSON", maxKeys)
	}
	return nil
}
