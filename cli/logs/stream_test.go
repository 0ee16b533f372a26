package logs

import (
	"bytes"
	"regexp"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestLines(t *testing.T) {
	tests := []struct {
		name, prefix string
		chunks       []string
		want         string
	}{
		{"as it is", "", []string{"a\nb\n"}, "a\nb\n"},
		{"no final newline", "", []string{"a\nb"}, "a\nb"},
		{"prefixed", "> ", []string{"a\nb\n"}, "> a\n> b\n"},
		{"a line in pieces", "> ", []string{"a", "b", "c\nd\n"}, "> abc\n> d\n"},
		{"prefixed, no final newline", "> ", []string{"a\nb"}, "> a\n> b"},
		{"empty lines", "> ", []string{"\n\n"}, "> \n> \n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			w := (&printer{w: &b}).lines(tt.prefix)
			for _, c := range tt.chunks {
				if err := w.write([]byte(c)); err != nil {
					t.Fatal(err)
				}
			}
			w.flush()
			if b.String() != tt.want {
				t.Fatalf("got %q, want %q", b.String(), tt.want)
			}
		})
	}
}

func TestEndlessLineIsBounded(t *testing.T) {
	var b bytes.Buffer
	w := (&printer{w: &b}).lines("> ")
	for range 100 {
		if err := w.write(bytes.Repeat([]byte("x"), 10<<10)); err != nil {
			t.Fatal(err)
		}
		if len(w.rest) > maxLine+10<<10 {
			t.Fatalf("%d bytes are kept of a line", len(w.rest))
		}
	}
}

func TestLabel(t *testing.T) {
	src := source{&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web"}}, "main"}
	if got := label(src, false); got != "[pod/web/main] " {
		t.Errorf("plain: %q", got)
	}
	got := label(src, true)
	if plain := regexp.MustCompile("\x1b\\[[0-9]+m").ReplaceAllString(got, ""); plain != "[pod/web/main] " || got == plain {
		t.Errorf("coloured: %q", got)
	}
	if got != label(src, true) {
		t.Error("colours change")
	}
}
