// Package cgroup reads what the kernel counts for containers and for the host: CPU
// time, memory, processes, and kills for lack of memory; on cgroup v1 and v2.
//
// Reads: /proc, /sys/fs/cgroup and the kernel's log. Writes: limits of a pod's cgroup while it runs, and
// on v1 the registration for the kernel's notices. What always holds: a container is
// found by its process, and only if the cgroup bears the container's id, so that a
// process id that was used again misleads nobody; what cannot be read is left out; and
// how a container ended is known also after its cgroup is gone.
package cgroup

import (
	"os"
	"path/filepath"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// Process is a running container and its main process.
type Process struct {
	Key       sandbox.Key
	UID       types.UID
	Container string // of the pod's spec; "" for the container that holds the sandbox
	ID        string
	PID       int
	// NoPod: the cgroup around its own is not its pod's, but of many.
	NoPod bool
}

// Tracker knows the cgroups of running containers. Safe for concurrent use.
type Tracker struct {
	proc, sys string // where /proc and /sys/fs/cgroup are

	mu     sync.Mutex
	log    kernelLog
	known  map[string]*group
	killed map[string]bool // by id: ended, and lost a process to the lack of memory
}

// group is one container's cgroup.
type group struct {
	Process
	dirs  dirs
	watch watch
}

// maxKilled bounds what is remembered of containers that have ended.
const maxKilled = 4096

// KernelLog is where the kernel's log is read.
const KernelLog = "/dev/kmsg"

// NewTracker returns a tracker of this host, whose kernel's log is read at log. It does no I/O.
func NewTracker(log string) *Tracker { return newTracker("/proc", "/sys/fs/cgroup", log) }

func newTracker(proc, sys, log string) *Tracker {
	return &Tracker{proc: proc, sys: sys, log: kernelLog{path: log}, known: map[string]*group{}, killed: map[string]bool{}}
}

// Watch begins to track a running container. It costs nothing the second time.
func (t *Tracker) Watch(p Process) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.PID <= 0 || t.known[p.ID] != nil {
		return
	}
	d, ok := t.find(p.PID, p.ID)
	if !ok {
		return // it has ended, or is not of this host
	}
	g := &group{Process: p, dirs: d}
	if p.Container != "" {
		g.watch = begin(d)
	}
	t.known[p.ID] = g
}

// Ended stops tracking a container that has ended, and tells whether the kernel had
// killed a process of it for lack of memory. The answer is the same every time. Who
// learns of the end first tells at once: the cgroup goes away soon after its main process.
func (t *Tracker) Ended(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end(id)
	if !t.killed[id] {
		t.listen()
	}
	return t.killed[id]
}

// Keep stops tracking all containers but those of ids.
func (t *Tracker) Keep(ids map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id := range t.known {
		if !ids[id] {
			t.end(id)
		}
	}
	for id := range t.killed {
		if !ids[id] {
			delete(t.killed, id)
		}
	}
}

func (t *Tracker) end(id string) {
	g := t.known[id]
	if g == nil {
		return
	}
	if g.watch.killed() {
		t.note(id)
	}
	g.watch.close()
	delete(t.known, id)
}

func (t *Tracker) note(id string) {
	if len(t.killed) >= maxKilled {
		clear(t.killed)
	}
	t.killed[id] = true
}

// dirs are the directories that hold a container's files: on v2 they are one.
type dirs struct {
	v2                        bool
	memory, cpu, account, pid string
}

// pod is the cgroup around the container's: its pod's.
func (d dirs) pod() dirs {
	up := func(s string) string {
		if s == "" {
			return ""
		}
		return filepath.Dir(s)
	}
	return dirs{v2: d.v2, memory: up(d.memory), cpu: up(d.cpu), account: up(d.account), pid: up(d.pid)}
}

// find finds the cgroup of process pid, which must bear id in its name.
func (t *Tracker) find(pid int, id string) (dirs, bool) {
	data, err := os.ReadFile(filepath.Join(t.proc, itoa(pid), "cgroup"))
	if err != nil {
		return dirs{}, false
	}
	return parse(string(data), t.sys, id)
}

// parse reads /proc/<pid>/cgroup (cgroups(7)): lines of hierarchy:controllers:path. In
// hybrid mode v1 has the controllers, and the line of v2 says nothing.
func parse(text, sys, id string) (dirs, bool) {
	var one, two dirs
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		path, ok := upTo(f[2], id)
		if !ok {
			continue
		}
		if f[0] == "0" && f[1] == "" {
			d := filepath.Join(sys, path)
			two = dirs{v2: true, memory: d, cpu: d, account: d, pid: d}
		}
		for _, c := range strings.Split(f[1], ",") {
			dir := filepath.Join(sys, c, path)
			switch c {
			case "memory":
				one.memory = dir
			case "cpu":
				one.cpu = dir
			case "cpuacct":
				one.account = dir
			case "pids":
				one.pid = dir
			}
		}
	}
	if one.memory != "" || one.cpu != "" {
		return one, true
	}
	return two, two.memory != ""
}

// upTo cuts path after the part that bears id: a container's process may be in a
// group of its own below.
func upTo(path, id string) (string, bool) {
	if id == "" {
		return "", false
	}
	i := strings.Index(path, id)
	if i < 0 {
		return "", false
	}
	if end := strings.IndexByte(path[i:], '/'); end >= 0 {
		path = path[:i+end]
	}
	return path, true
}
