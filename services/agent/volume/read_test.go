//go:build linux

package volume

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	v1 "k8s.io/api/core/v1"
)

func TestReadFile(t *testing.T) {
	out, _ := outside(t)
	g := newRig(t)
	p := pod(emptyVolume("v", v1.EmptyDirVolumeSource{}))
	g.must(g.Prepare(t.Context(), p))
	dir := g.dir(p, "v")
	g.must(os.WriteFile(filepath.Join(dir, "f"), []byte("A=1"), 0o600))
	g.must(os.WriteFile(filepath.Join(dir, "big"), make([]byte, longestFile+1), 0o600))
	g.must(syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	link(t, filepath.Join(out, "passwd"), filepath.Join(dir, "out"))
	if b, err := g.ReadFile(p, "v", "f"); err != nil || string(b) != "A=1" {
		t.Errorf("%q, %v", b, err)
	}
	if b, err := g.ReadFile(p, "v", "out"); !errors.Is(err, errOutside) {
		t.Errorf("read %q from outside: %v", b, err)
	}
	for path, want := range map[string]string{"big": "more than", "pipe": "no regular file", "none": "no such file"} {
		if _, err := g.ReadFile(p, "v", path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := g.ReadFile(p, "nobody", "f"); err == nil {
		t.Error("read from a volume that is not there")
	}
}
