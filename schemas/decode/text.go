package decode

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// file is one input: decoded text, with its lines at hand for errors.
type file struct {
	name  string
	text  string
	lines []int // offsets of the lines' starts
}

// newFile checks that data is text and normalises it: UTF-8 without a byte order
// mark, lines ending in "\n".
func newFile(name string, data []byte) (*file, *problem) {
	f := &file{name: name}
	if len(data) > maxInput {
		return f, problemf(pos{1, 1}, "the file has %d MiB, more than the %d MiB that are read; split it into several files",
			(len(data)+1<<20-1)>>20, maxInput>>20)
	}
	f.text = strings.ReplaceAll(string(decodeUTF16(data)), "\r\n", "\n")
	f.text = strings.ReplaceAll(strings.TrimPrefix(f.text, "\uFEFF"), "\r", "\n")
	f.lines = []int{0}
	for i := range len(f.text) {
		if f.text[i] == '\n' {
			f.lines = append(f.lines, i+1)
		}
	}
	return f, f.checkText()
}

func decodeUTF16(data []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		order = binary.BigEndian
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		order = binary.LittleEndian
	default:
		return data
	}
	units := make([]uint16, 0, len(data)/2)
	for rest := data[2:]; len(rest) > 1; rest = rest[2:] {
		units = append(units, order.Uint16(rest))
	}
	return []byte(string(utf16.Decode(units)))
}

// checkText finds the first character that no manifest can hold.
func (f *file) checkText() *problem {
	for i, r := range f.text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(f.text[i:]); size == 1 {
				return problemf(f.at(i), "byte 0x%02x is not UTF-8: is this a text file?", f.text[i])
			}
		}
		if r < 0x20 && r != '\t' && r != '\n' || r >= 0x7F && r < 0xA0 && r != 0x85 {
			return problemf(f.at(i), "control character 0x%02x is not allowed: is this a text file?", r)
		}
	}
	return nil
}

// at returns the position of a byte offset.
func (f *file) at(offset int) pos {
	lo, hi := 0, len(f.lines)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; f.lines[mid] <= offset {
			lo = mid
		} else {
			hi = mid
		}
	}
	return pos{lo + 1, utf8.RuneCountInString(f.text[f.lines[lo]:offset]) + 1}
}

// line returns the text of a 1-based line, without its end.
func (f *file) line(n int) string {
	if n < 1 || n > len(f.lines) {
		return ""
	}
	text, _, _ := strings.Cut(f.text[f.lines[n-1]:], "\n")
	return text
}

// error gives p its file. Positions outside the text move to its nearest end.
func (f *file) error(p *problem) Error {
	line := min(max(p.pos.line, 1), max(len(f.lines), 1))
	text := f.line(line)
	col := min(max(p.pos.col, 1), utf8.RuneCountInString(text)+1)
	return Error{Source: f.name, Line: line, Column: col, Path: p.path, Message: p.message, Text: text, Unknown: p.unknown}
}
