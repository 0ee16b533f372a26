package podman

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWithin(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "real", "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	for at, to := range map[string]string{"abs": "/real", "out": "/etc", "up": "../../../../../../etc", "twice": "abs/deep"} {
		if err := os.Symlink(to, filepath.Join(root, at)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"/real/deep": "/real/deep", "/not/there": "/not/there", "/real/../real/x/": "/real/x",
		"/abs/deep": "/real/deep", "/twice/new": "/real/deep/new", "/out/new": "/etc/new", "/up/new": "/etc/new",
	} {
		if got, err := within(root, path); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", path, got, err, want)
		}
	}
}
