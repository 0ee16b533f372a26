package edit

import (
	"slices"
	"testing"

	"github.com/skerry/skerry/cli/session"
)

// TestEditor: what edits a file, by system and environment.
func TestEditor(t *testing.T) {
	for _, tt := range []struct {
		system string
		env    map[string]string
		want   []string
	}{
		{"linux", nil, []string{"sh", "-c", `vi "$1"`, "sh", "f"}},
		{"darwin", map[string]string{"EDITOR": "code --wait"}, []string{"sh", "-c", `code --wait "$1"`, "sh", "f"}},
		{"linux", map[string]string{"EDITOR": "nano", "KUBE_EDITOR": "vim"}, []string{"sh", "-c", `vim "$1"`, "sh", "f"}},
		{"windows", map[string]string{"VISUAL": " "}, []string{"notepad", "f"}},
		{"windows", map[string]string{"EDITOR": "code --wait"}, []string{"code", "--wait", "f"}},
	} {
		s := &session.Session{Env: session.Env{Getenv: func(name string) string { return tt.env[name] }}}
		if got := editor(s, tt.system, "f"); !slices.Equal(got, tt.want) {
			t.Errorf("%s %v: %q, want %q", tt.system, tt.env, got, tt.want)
		}
	}
}
