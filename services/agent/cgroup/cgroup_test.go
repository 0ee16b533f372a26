package cgroup

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	const id = "e814d6bb"
	v1 := "9:name=systemd:/\n4:memory:/libpod_parent/36c7/libpod-e814d6bb\n2:cpuacct:/libpod_parent/36c7/libpod-e814d6bb\n" +
		"1:cpu:/libpod_parent/36c7/libpod-e814d6bb\n8:pids:/libpod_parent/36c7/libpod-e814d6bb\n0::/\n"
	joined := "4:memory:/machine.slice/libpod-e814d6bb.scope\n2:cpu,cpuacct:/machine.slice/libpod-e814d6bb.scope\n0::/machine.slice/libpod-e814d6bb.scope\n"
	for _, c := range []struct {
		name, text string
		want       dirs
		ok         bool
	}{
		{"v1", v1, dirs{memory: "/s/memory/libpod_parent/36c7/libpod-e814d6bb", cpu: "/s/cpu/libpod_parent/36c7/libpod-e814d6bb",
			account: "/s/cpuacct/libpod_parent/36c7/libpod-e814d6bb", pid: "/s/pids/libpod_parent/36c7/libpod-e814d6bb"}, true},
		{"v1, controllers together", joined, dirs{memory: "/s/memory/machine.slice/libpod-e814d6bb.scope",
			cpu: "/s/cpu/machine.slice/libpod-e814d6bb.scope", account: "/s/cpuacct/machine.slice/libpod-e814d6bb.scope"}, true},
		{"v2", "0::/machine.slice/libpod-e814d6bb.scope\n", v2At("/s/machine.slice/libpod-e814d6bb.scope"), true},
		{"v2, the process in a group below", "0::/machine.slice/libpod-e814d6bb.scope/container\n", v2At("/s/machine.slice/libpod-e814d6bb.scope"), true},
		{"another process with that number", "0::/user.slice/app.scope\n", dirs{}, false},
		{"nonsense", "4:memory\n\nx", dirs{}, false},
	} {
		got, ok := parse(c.text, "/s", id)
		if got != c.want || ok != c.ok {
			t.Errorf("%s: got %+v, %v", c.name, got, ok)
		}
	}
	if _, ok := parse(v1, "/s", ""); ok {
		t.Error("a container without an id was found")
	}
}

func v2At(d string) dirs { return dirs{v2: true, memory: d, cpu: d, account: d, pid: d} }

// host is a tree of files as the kernel shows them.
func host(t *testing.T, files map[string]string) *Tracker {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return newTracker(filepath.Join(dir, "proc"), filepath.Join(dir, "sys"), filepath.Join(dir, "kmsg"))
}

func TestUsage(t *testing.T) {
	two := host(t, map[string]string{
		"proc/7/cgroup":     "0::/pod.slice/libpod-abc.scope/container\n",
		"proc/8/cgroup":     "0::/pod.slice/libpod-infra.scope\n",
		"sys/pod.slice/x":   "",
		"proc/9/cgroup":     "0::/pod.slice/libpod-gone.scope\n",
		"sys/pod.slice/y/z": "",
		"sys/pod.slice/libpod-abc.scope/memory.current": "5000\n",
		"sys/pod.slice/libpod-abc.scope/memory.stat":    "anon 1\ninactive_file 2000\n",
		"sys/pod.slice/libpod-abc.scope/cpu.stat":       "usage_usec 1500000\nuser_usec 1\n",
		"sys/pod.slice/libpod-abc.scope/pids.current":   "3\n",
		"sys/pod.slice/libpod-abc.scope/memory.events":  "low 0\nhigh 0\nmax 4\noom 1\noom_kill 0\n",
	})
	two.Watch(Process{Container: "c", ID: "abc", PID: 7})
	two.Watch(Process{ID: "infra", PID: 8})
	two.Watch(Process{Container: "d", ID: "gone", PID: 9})
	two.Watch(Process{Container: "d", ID: "never", PID: 10})
	us := two.Usage()
	if len(us) != 1 || us[0].ID != "abc" || us[0].Memory != 3000 || us[0].CPU != 1500*time.Millisecond || us[0].PIDs != 3 {
		t.Errorf("v2: %+v", us)
	}
	one := host(t, map[string]string{
		"proc/7/cgroup": "4:memory:/p/libpod-abc\n2:cpuacct:/p/libpod-abc\n1:cpu:/p/libpod-abc\n8:pids:/p/libpod-abc\n",
		"sys/memory/p/libpod-abc/memory.usage_in_bytes": "5000\n",
		"sys/memory/p/libpod-abc/memory.stat":           "inactive_file 1\ntotal_inactive_file 1000\n",
		"sys/cpuacct/p/libpod-abc/cpuacct.usage":        "2500000000\n",
		"sys/pids/p/libpod-abc/pids.current":            "2\n",
	})
	one.Watch(Process{Container: "c", ID: "abc", PID: 7})
	us = one.Usage()
	if len(us) != 1 || us[0].Memory != 4000 || us[0].CPU != 2500*time.Millisecond || us[0].PIDs != 2 {
		t.Errorf("v1: %+v", us)
	}
	one.Keep(map[string]bool{})
	if us = one.Usage(); len(us) != 0 {
		t.Errorf("after it was dropped: %+v", us)
	}
}

func TestKillsOnV2(t *testing.T) {
	h := host(t, map[string]string{
		"proc/7/cgroup":                "0::/libpod-abc\n",
		"proc/8/cgroup":                "0::/libpod-def\n",
		"sys/libpod-abc/memory.events": "low 0\noom 1\noom_kill 2\noom_group_kill 0\n",
		"sys/libpod-def/memory.events": "low 0\noom 1\noom_kill 0\noom_group_kill 0\n",
	})
	h.Watch(Process{Container: "c", ID: "abc", PID: 7})
	h.Watch(Process{Container: "c", ID: "def", PID: 8})
	for range 2 {
		if !h.Ended("abc") || h.Ended("def") || h.Ended("unknown") {
			t.Error("the kernel's count was not understood")
		}
	}
	h.Keep(map[string]bool{"def": true})
	if h.Ended("abc") {
		t.Error("a container that is gone is remembered")
	}
}

func TestHost(t *testing.T) {
	h := host(t, map[string]string{
		"proc/stat":                   "cpu  100 20 30 4000 500 6 7 8 9 10\ncpu0 1 2\n",
		"proc/meminfo":                "MemTotal:       1000 kB\nMemFree:         300 kB\nInactive(file):  200 kB\nHugePages_Total:       5\n",
		"proc/loadavg":                "0.20 0.18 0.12 1/80 11206\n",
		"proc/sys/kernel/pid_max":     "4194304\n",
		"proc/sys/kernel/threads-max": "1000\n",
	}).Host()
	want := Host{CPU: 1710 * time.Millisecond, Memory: 1000 << 10, Available: 500 << 10, PIDs: 1000, Processes: 80}
	if h != want || h.Working() != 500<<10 {
		t.Errorf("got %+v, want %+v", h, want)
	}
	if got := (&Tracker{proc: "/nowhere"}).Host(); got != (Host{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestOwnHost(t *testing.T) {
	h := NewTracker(KernelLog).Host()
	if h.CPU <= 0 || h.Memory <= 0 || h.Available <= 0 || h.Available > h.Memory || h.Processes <= 0 || h.PIDs <= h.Processes {
		t.Errorf("this host is %+v", h)
	}
}
