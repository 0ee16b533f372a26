//go:build unix

package host

import "testing"

func TestSettings(t *testing.T) {
	tests := []struct {
		name string
		f    facts
		want string
	}{
		{"a usual host", facts{unifiedCgroups: true, systemd: true, mayRaiseLimits: true, hasRunc: true}, ""},
		{
			"no systemd", facts{unifiedCgroups: true, mayRaiseLimits: true},
			"[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n",
		},
		{
			"hybrid cgroups with runc", facts{systemd: true, mayRaiseLimits: true, hasRunc: true},
			"[engine]\nruntime = \"runc\"\n",
		},
		{
			"limits cannot be raised", facts{unifiedCgroups: true, systemd: true, nofile: 4096, nproc: 512},
			"[containers]\ndefault_ulimits = [\"nofile=4096:4096\", \"nproc=512:512\"]\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := settings(tt.f); got != tt.want {
				t.Fatalf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
