package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// unlimited is about what v1 shows as the limit of memory where there is none.
const unlimited = 1 << 60

// Settings are the limits that the kernel has for a container: CPU, memory and
// processes. Zero means none.
func (t *Tracker) Settings(id string) (sandbox.Resources, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.known[id]
	if g == nil {
		return sandbox.Resources{}, false
	}
	return g.dirs.settings()
}

// PodSettings are those of the cgroup around a pod's containers.
func (t *Tracker) PodSettings(uid types.UID) (sandbox.Resources, bool) {
	d, ok := t.pod(uid)
	if !ok {
		return sandbox.Resources{}, false
	}
	return d.settings()
}

// pod is the cgroup of a pod of which something runs, if it has one.
func (t *Tracker) pod(uid types.UID) (dirs, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, g := range t.known {
		if g.UID == uid && !g.NoPod {
			return g.dirs.pod(), true
		}
	}
	return dirs{}, false
}

func (d dirs) settings() (r sandbox.Resources, ok bool) {
	if d.v2 {
		weight, ok := readNumber(filepath.Join(d.cpu, "cpu.weight"))
		r.CPUShares = shares(weight)
		quota, period, _ := strings.Cut(line(filepath.Join(d.cpu, "cpu.max")), " ")
		if r.CPUQuota = number(quota); r.CPUQuota > 0 {
			r.CPUPeriod = uint64(number(period))
		}
		r.Memory, _ = readNumber(filepath.Join(d.memory, "memory.max"))
		r.Pids, _ = readNumber(filepath.Join(d.pid, "pids.max"))
		return r, ok
	}
	n, ok := readNumber(filepath.Join(d.cpu, "cpu.shares"))
	r.CPUShares = uint64(max(n, 0))
	if quota, _ := readNumber(filepath.Join(d.cpu, "cpu.cfs_quota_us")); quota > 0 {
		period, _ := readNumber(filepath.Join(d.cpu, "cpu.cfs_period_us"))
		r.CPUQuota, r.CPUPeriod = quota, uint64(max(period, 0))
	}
	if m, _ := readNumber(filepath.Join(d.memory, "memory.limit_in_bytes")); m < unlimited {
		r.Memory = m
	}
	r.Pids, _ = readNumber(filepath.Join(d.pid, "pids.max"))
	return r, ok
}

// SetPod changes the limits of the cgroup around a running pod's containers. Podman can
// set them only when it makes the pod.
func (t *Tracker) SetPod(uid types.UID, r sandbox.Resources) error {
	d, ok := t.pod(uid)
	if !ok {
		return fmt.Errorf("set limits of pod %s: nothing of it runs", uid)
	}
	for _, f := range d.files(r) {
		if err := os.WriteFile(f.path, []byte(f.text), 0o600); err != nil {
			return fmt.Errorf("set limits of pod %s: %w", uid, err)
		}
	}
	return nil
}

type file struct{ path, text string }

// files are what to write for r.
func (d dirs) files(r sandbox.Resources) []file {
	decimal := func(n int64) string { return strconv.FormatInt(n, 10) }
	orNone := func(n int64, none string) string {
		if n > 0 {
			return decimal(n)
		}
		return none
	}
	if d.v2 {
		period := int64(r.CPUPeriod)
		if period == 0 {
			period = 100_000
		}
		return []file{
			{filepath.Join(d.cpu, "cpu.weight"), decimal(weight(r.CPUShares))},
			{filepath.Join(d.cpu, "cpu.max"), orNone(r.CPUQuota, "max") + " " + decimal(period)},
			{filepath.Join(d.memory, "memory.max"), orNone(r.Memory, "max")},
		}
	}
	out := []file{{filepath.Join(d.cpu, "cpu.shares"), decimal(int64(r.CPUShares))}}
	if r.CPUQuota > 0 {
		out = append(out, file{filepath.Join(d.cpu, "cpu.cfs_period_us"), decimal(int64(r.CPUPeriod))})
	}
	return append(out,
		file{filepath.Join(d.cpu, "cpu.cfs_quota_us"), orNone(r.CPUQuota, "-1")},
		file{filepath.Join(d.memory, "memory.limit_in_bytes"), orNone(r.Memory, "-1")})
}

// weight is shares on the scale of v2, as OCI runtimes turn 2…262144 into 1…10000.
func weight(shares uint64) int64 {
	if shares == 0 {
		return 100
	}
	s := int64(min(max(shares, 2), 262144))
	return 1 + (s-2)*9999/262142
}

// shares undoes weight, as far as its scale is fine enough.
func shares(weight int64) uint64 {
	if weight <= 0 {
		return 0
	}
	return uint64(2 + (weight-1)*262142/9999)
}

func line(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
