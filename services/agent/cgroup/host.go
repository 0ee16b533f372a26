package cgroup

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Host is what the host as a whole has and uses.
type Host struct {
	CPU time.Duration // of all cores, since it booted
	// Memory is its size in bytes; Available what is free or holds file pages that nobody
	// used lately, as the kubelet counts; Working is the rest.
	Memory, Available int64
	// PIDs is how many processes and threads there may be, and Processes how many there are.
	PIDs, Processes int64
}

// Working is the memory in use that cannot be given up easily.
func (h Host) Working() int64 { return max(h.Memory-h.Available, 0) }

// userHZ is the unit of times in /proc/stat, on every architecture that Go runs on.
const userHZ = 100

// Host reads the figures of the host.
func (t *Tracker) Host() Host {
	var h Host
	if b, err := os.ReadFile(filepath.Join(t.proc, "stat")); err == nil {
		h.CPU = busy(string(b))
	}
	if b, err := os.ReadFile(filepath.Join(t.proc, "meminfo")); err == nil {
		m := meminfo(string(b))
		h.Memory, h.Available = m["MemTotal"], m["MemFree"]+m["Inactive(file)"]
	}
	if b, err := os.ReadFile(filepath.Join(t.proc, "loadavg")); err == nil {
		// "0.20 0.18 0.12 1/80 11206": runnable and all tasks.
		if f := strings.Fields(string(b)); len(f) > 3 {
			_, all, _ := strings.Cut(f[3], "/")
			h.Processes = number(all)
		}
	}
	h.PIDs, _ = readNumber(filepath.Join(t.proc, "sys/kernel/pid_max"))
	if threads, ok := readNumber(filepath.Join(t.proc, "sys/kernel/threads-max")); ok && threads < h.PIDs {
		h.PIDs = threads
	}
	return h
}

// busy is the first line of /proc/stat, proc(5), without idle and iowait. Guests' time
// is part of the user's.
func busy(stat string) time.Duration {
	line, _, _ := strings.Cut(stat, "\n")
	f := strings.Fields(line)
	var ticks int64
	for i, v := range f {
		if i == 0 || i == 4 || i == 5 || i > 8 {
			continue
		}
		ticks += number(v)
	}
	return time.Duration(ticks) * (time.Second / userHZ)
}

// meminfo reads /proc/meminfo, in bytes.
func meminfo(text string) map[string]int64 {
	out := map[string]int64{}
	for line := range strings.Lines(text) {
		name, v, ok := strings.Cut(line, ":")
		f := strings.Fields(v)
		if !ok || len(f) == 0 {
			continue
		}
		n := number(f[0])
		if len(f) > 1 && f[1] == "kB" {
			n <<= 10
		}
		out[name] = n
	}
	return out
}

// capSysResource is CAP_SYS_RESOURCE, capabilities(7).
const capSysResource = 24

// OOMScoreFloor is the least oom_score_adj that processes started here can have: who
// lacks CAP_SYS_RESOURCE cannot go below its own.
func OOMScoreFloor() int {
	const least = -1000
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		v, ok := strings.CutPrefix(line, "CapEff:")
		if !ok {
			continue
		}
		caps, err := strconv.ParseUint(strings.TrimSpace(v), 16, 64)
		if err == nil && caps&(1<<capSysResource) != 0 {
			return least
		}
	}
	own, _ := readNumber("/proc/self/oom_score_adj")
	return int(own)
}
