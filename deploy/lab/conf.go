package lab

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// writeContainersConf writes the Podman settings that this machine needs: detected,
// not assumed, since most machines need none.
func writeContainersConf(path string) error {
	var b strings.Builder
	b.WriteString("[containers]\n")
	if !hasCapability(24) { // CAP_SYS_RESOURCE: Podman may not raise limits
		b.WriteString("default_ulimits = [\"nofile=4096:4096\", \"nproc=4096:4096\"]\n")
	}
	b.WriteString("[engine]\nevents_logger = \"file\"\n")
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		b.WriteString("cgroup_manager = \"cgroupfs\"\n")
	}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
		// crun refuses cgroups v1 in hybrid mode.
		if _, err := exec.LookPath("runc"); err == nil {
			b.WriteString("runtime = \"runc\"\n")
		}
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// hasCapability tells whether this process has capability n effectively.
func hasCapability(n uint) bool {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	for _, line := range strings.Split(string(b), "\n") {
		if v, ok := strings.CutPrefix(line, "CapEff:"); ok {
			caps, err := strconv.ParseUint(strings.TrimSpace(v), 16, 64)
			return err == nil && caps&(1<<n) != 0
		}
	}
	return false
}
