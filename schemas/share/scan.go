package share

import "bytes"

// fields calls f with each field of the JSON object in data, whose text raw is. It returns
// false if f does, or for anything that it does not take for an object; what is inside
// raw is not checked, but for its end.
func fields(data []byte, f func(name, raw []byte) bool) bool {
	i := space(data, 0)
	if i == len(data) || data[i] != '{' {
		return false
	}
	if i = space(data, i+1); i < len(data) && data[i] == '}' {
		return space(data, i+1) == len(data)
	}
	for {
		end := text(data, i)
		if end < 0 {
			return false
		}
		name := data[i+1 : end-1]
		if i = space(data, end); i == len(data) || data[i] != ':' || bytes.IndexByte(name, '\\') >= 0 {
			return false
		}
		i = space(data, i+1)
		if end = value(data, i); end < 0 || !f(name, data[i:end]) {
			return false
		}
		if i = space(data, end); i == len(data) {
			return false
		}
		switch data[i] {
		case '}':
			return space(data, i+1) == len(data)
		case ',':
			i = space(data, i+1)
		default:
			return false
		}
	}
}

func space(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// text returns the end of the string at i, -1 if there is none.
func text(data []byte, i int) int {
	if i >= len(data) || data[i] != '"' {
		return -1
	}
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// value returns the end of the value at i, -1 if there is none.
func value(data []byte, i int) int {
	depth := 0
	for i < len(data) {
		switch data[i] {
		case '"':
			if i = text(data, i); i < 0 {
				return -1
			}
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			if depth--; depth < 0 {
				return -1
			}
			i++
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return -1
			}
			i++
			continue
		default:
			for i < len(data) && !delimits(data[i]) {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return -1
}

func delimits(c byte) bool {
	switch c {
	case ',', ':', '}', ']', '{', '[', '"', ' ', '\n', '\t', '\r':
		return true
	}
	return false
}
