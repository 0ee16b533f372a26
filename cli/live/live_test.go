package live

import (
	"bytes"
	"testing"

	"github.com/skerry/skerry/cli/session"
)

func TestRedraw(t *testing.T) {
	var out bytes.Buffer
	s := New(session.Env{Stdout: &out})
	s.Set("a", []string{"one", "two"})
	s.Set("a", []string{"one", "two"}) // nothing new: nothing drawn
	s.Set("b", []string{"three"})
	s.Set("a", []string{"four"})
	s.Close()
	want := "\r\x1b[Jone\ntwo\n" + "\x1b[2A\r\x1b[Jone\ntwo\nthree\n" + "\x1b[3A\r\x1b[Jfour\nthree\n"
	if out.String() != want {
		t.Errorf("got %q\nwant %q", out.String(), want)
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		line  string
		width int
		want  string
	}{{"short", 80, "short"}, {"long line", 6, "long…"}, {"no terminal", 0, "no terminal"}, {"äöüäöü", 4, "äö…"}} {
		if got := cut(tt.line, tt.width); got != tt.want {
			t.Errorf("cut(%q, %d) = %q", tt.line, tt.width, got)
		}
	}
}
