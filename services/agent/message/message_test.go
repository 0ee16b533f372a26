package message

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func TestBox(t *testing.T) {
	dir := t.TempDir()
	b := New(filepath.Join(dir, "messages"))
	if got, err := b.Read("u", "c", 0); got != "" || err != nil {
		t.Errorf("of nothing: %q, %v", got, err)
	}
	path, err := b.Make("u", "c", 0)
	if err != nil {
		t.Fatal(err)
	}
	if i, err := os.Stat(path); err != nil || i.Mode().Perm() != 0o666 {
		t.Errorf("mode %v, %v", i.Mode(), err)
	}
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("last words")
	if got, err := b.Read("u", "c", 0); got != "last words" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	write(strings.Repeat("x", 5000) + "end")
	if got, _ := b.Read("u", "c", 0); len(got) != MaxFile || !strings.HasSuffix(got, "xend") {
		t.Errorf("%d bytes of a long one", len(got))
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "secret"), path); err != nil {
		t.Fatal(err)
	}
	if got, _ := b.Read("u", "c", 0); got != "" {
		t.Errorf("read through a link: %q", got)
	}
	if _, err := b.Make("u", "c", 0); err == nil {
		t.Error("wrote through a link")
	}
	if err := b.Drop("u", "c", 0); err != nil {
		t.Error(err)
	}
	if err := b.Drop("u", "c", 0); err != nil {
		t.Errorf("again: %v", err)
	}
	if _, err := b.Make("v", "c", 0); err != nil {
		t.Fatal(err)
	}
	if err := b.Sweep(func(uid types.UID) bool { return uid == "u" }); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "messages")); len(left) != 1 || left[0].Name() != "u" {
		t.Errorf("left: %v", left)
	}
	var none *Box
	if path, err := none.Make("u", "c", 0); path != "" || err != nil {
		t.Errorf("nil box: %q, %v", path, err)
	}
}
