package console

import "testing"

func TestDetachKeys(t *testing.T) {
	for in, c := range map[string]struct {
		out    string
		enough bool
	}{
		"abc":                  {"abc", false},
		"a\x10\x11b":           {"a", true},
		"a\x10|\x11":           {"a", true},
		"\x10b":                {"\x10b", false},
		"\x10\x10\x11":         {"\x10", true},
		"\x11":                 {"\x11", false},
		"\x10|b":               {"\x10b", false},
		"\x10|\x10|\x10|x":     {"\x10\x10\x10x", false},
		"\x10":                 {"", false},
		"caf\u00e9\x10\x11 no": {"caf\u00e9", true},
	} {
		var d detacher
		var out []byte
		enough := false
		part := []byte{}
		for _, b := range []byte(in + "|") {
			if b != '|' { // where one read ends and the next begins
				part = append(part, b)
				continue
			}
			p, e := d.filter(part)
			out = append(out, p...)
			part = nil
			if enough = e; enough {
				break
			}
		}
		if string(out) != c.out || enough != c.enough {
			t.Errorf("%q: %q, %v", in, out, enough)
		}
	}
}
