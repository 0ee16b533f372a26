package podman

import (
	"fmt"
	"strings"
	"testing"
)

func TestCapabilities(t *testing.T) {
	usual := []string{"CAP_CHOWN", "CAP_KILL", "CAP_SETUID"}
	for _, c := range []struct{ add, drop, wantAdd, wantDrop string }{
		{"", "", "", ""},
		{"KILL", "", "", ""},
		{"SYS_TIME cap_net_raw", "", "CAP_NET_RAW CAP_SYS_TIME", ""},
		{"", "KILL NOT_THERE", "", "CAP_KILL"},
		{"", "ALL", "", "ALL"},
		{"CHOWN", "ALL", "", "CAP_KILL CAP_SETUID"},
		{"SYS_TIME", "ALL", "CAP_SYS_TIME", "CAP_CHOWN CAP_KILL CAP_SETUID"},
		{"ALL", "", "ALL", ""},
		{"ALL", "KILL", "ALL", "CAP_KILL"},
		{"ALL CHOWN", "ALL", "", "CAP_KILL CAP_SETUID"},
		{"KILL", "KILL", "", "CAP_KILL"},
	} {
		add, drop := capabilities(usual, strings.Fields(c.add), strings.Fields(c.drop))
		if got, want := fmt.Sprint(add, drop), fmt.Sprint(strings.Fields(c.wantAdd), strings.Fields(c.wantDrop)); got != want {
			t.Errorf("add %s drop %s: got %s, want %s", c.add, c.drop, got, want)
		}
	}
}
