//go:build linux

package up

import "testing"

// TestRoom: only a limit, and nothing else said, gives room.
func TestRoom(t *testing.T) {
	for _, c := range []struct {
		limit, percent string
		want           bool
	}{{"", "", false}, {"off", "", false}, {"1GiB", "", true}, {"1GiB", "100", false}, {"", "50", false}} {
		env := map[string]string{"GOMEMLIMIT": c.limit, "GOGC": c.percent}
		if got := hasRoom(func(name string) string { return env[name] }); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
