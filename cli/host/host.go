//go:build unix

// Package host finds out what Podman needs on this host to run containers at all.
//
// It reads /proc and /sys, and writes one containers.conf. What always holds: a host
// whose administrator has configured Podman is left as it is.
package host

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/skerry/skerry/cli/config"
)

// facts are what the settings follow from.
type facts struct {
	unifiedCgroups bool // cgroup v2 alone; crun and systemd's manager need it
	systemd        bool
	mayRaiseLimits bool // CAP_SYS_RESOURCE
	hasRunc        bool
	nofile, nproc  uint64 // hard limits of this process
}

// capSysResource is the bit of CAP_SYS_RESOURCE (capability.h).
const capSysResource = 24

// ContainersConf writes a containers.conf to path if this host needs one, and
// returns path; "" if the host needs none or has its own.
func ContainersConf(getenv func(string) string, path string) (string, error) {
	if getenv("CONTAINERS_CONF") != "" || exists("/etc/containers/containers.conf") {
		return "", nil
	}
	text := settings(gather())
	if text == "" {
		return "", nil
	}
	if err := config.WriteFile(path, []byte(text)); err != nil {
		return "", fmt.Errorf("write podman's settings: %w", err)
	}
	return path, nil
}

// settings renders the containers.conf that the facts call for.
func settings(f facts) string {
	var containers, engine []string
	if !f.mayRaiseLimits {
		// Podman asks for more than this process has, and may not have it.
		containers = append(containers, fmt.Sprintf("default_ulimits = [\"nofile=%d:%d\", \"nproc=%d:%d\"]", f.nofile, f.nofile, f.nproc, f.nproc))
	}
	if !f.unifiedCgroups && f.hasRunc {
		engine = append(engine, `runtime = "runc"`)
	}
	if !f.systemd {
		engine = append(engine, `cgroup_manager = "cgroupfs"`, `events_logger = "file"`)
	}
	var b strings.Builder
	if len(containers) > 0 {
		b.WriteString("[containers]\n" + strings.Join(containers, "\n") + "\n")
	}
	if len(engine) > 0 {
		b.WriteString("[engine]\n" + strings.Join(engine, "\n") + "\n")
	}
	return b.String()
}

func gather() facts {
	_, runcErr := exec.LookPath("runc")
	return facts{
		unifiedCgroups: exists("/sys/fs/cgroup/cgroup.controllers"),
		systemd:        exists("/run/systemd/system"),
		mayRaiseLimits: os.Geteuid() != 0 || hasCapability(capSysResource),
		hasRunc:        runcErr == nil,
		nofile:         hardLimit(syscall.RLIMIT_NOFILE),
		nproc:          hardLimit(rlimitNproc),
	}
}

// rlimitNproc is RLIMIT_NPROC, which package syscall lacks.
const rlimitNproc = 6

// unlimitedProxy stands for "unlimited", which containers.conf cannot say.
const unlimitedProxy = 1 << 20

func hardLimit(which int) uint64 {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(which, &l); err != nil {
		return 4096
	}
	return min(uint64(l.Max), unlimitedProxy)
}

func hasCapability(bit uint) bool {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return true
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if hex, ok := strings.CutPrefix(sc.Text(), "CapEff:"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return err != nil || n&(1<<bit) != 0
		}
	}
	return true
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
