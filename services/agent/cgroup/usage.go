package cgroup

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Usage is what a container has used and uses.
type Usage struct {
	Process
	CPU    time.Duration // since it started
	Memory int64         // bytes of its working set: without file pages that nobody used lately
	PIDs   int64
}

// Usage reads what every tracked container uses, the sandboxes' own left out. Those
// that have ended meanwhile are left out. One pass reads four small files for each container.
func (t *Tracker) Usage() []Usage {
	t.mu.Lock()
	groups := make([]*group, 0, len(t.known))
	for _, g := range t.known {
		if g.Container != "" {
			groups = append(groups, g)
		}
	}
	t.mu.Unlock()
	out := make([]Usage, 0, len(groups))
	for _, g := range groups {
		u, ok := g.dirs.usage()
		if !ok {
			continue
		}
		u.Process = g.Process
		out = append(out, u)
	}
	return out
}

func (d dirs) usage() (u Usage, ok bool) {
	memory, cpu := "memory.usage_in_bytes", "cpuacct.usage"
	if d.v2 {
		memory, cpu = "memory.current", "cpu.stat"
	}
	used, ok := readNumber(filepath.Join(d.memory, memory))
	if !ok {
		return u, false
	}
	stat := fields(filepath.Join(d.memory, "memory.stat"))
	idle := stat["inactive_file"]
	if !d.v2 {
		idle = stat["total_inactive_file"]
	}
	u.Memory = max(used-idle, 0)
	if d.v2 {
		u.CPU = time.Duration(fields(filepath.Join(d.cpu, cpu))["usage_usec"]) * time.Microsecond
	} else {
		ns, _ := readNumber(filepath.Join(d.account, cpu))
		u.CPU = time.Duration(ns)
	}
	u.PIDs, _ = readNumber(filepath.Join(d.pid, "pids.current"))
	return u, true
}

// readNumber reads a file of one number.
func readNumber(path string) (int64, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil
}

// fields reads a file of lines "name number".
func fields(path string) map[string]int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	out := map[string]int64{}
	for line := range strings.Lines(string(b)) {
		if name, v, ok := strings.Cut(line, " "); ok {
			out[name] = number(v)
		}
	}
	return out
}

// number is 0 for what is none, such as "max".
func number(s string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func itoa(n int) string { return strconv.Itoa(n) }
