package pod

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
)

const (
	readMemory = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max"
	readScore  = "cat /proc/1/oom_score_adj"
)

func TestLimitsAndClass(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("burst", "sleep 1000", "", "    resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 32Mi}}")+
		"---\n"+script("best", "sleep 1000", "", ""))
	p := running(t, ns, "burst")
	if p.Status.QOSClass != v1.PodQOSBurstable {
		t.Errorf("class %s", p.Status.QOSClass)
	}
	if got := exec(t, ns, "burst", "sh", "-c", readMemory); got != "33554432\n" {
		t.Errorf("limit of memory %s", got)
	}
	// Of at least some GiB on the host 16 MiB are next to nothing: last but one to be spared.
	if got := exec(t, ns, "burst", "sh", "-c", readScore); !strings.HasPrefix(got, "99") {
		t.Errorf("oom_score_adj %s", got)
	}
	if p := running(t, ns, "best"); p.Status.QOSClass != v1.PodQOSBestEffort {
		t.Errorf("class %s", p.Status.QOSClass)
	}
	if got := exec(t, ns, "best", "sh", "-c", readScore); got != "1000\n" {
		t.Errorf("oom_score_adj of best effort %s", got)
	}
}

// TestOutOfMemory: the kernel's kill is told as such, also by an agent that met the
// container running, and still after it was started again.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	limit := "    resources: {limits: {memory: 16Mi}}"
	apply(t, ns, script("hog", "exec tail /dev/zero", "  restartPolicy: Never", limit))
	if s := ended(t, ns, "hog").Status.ContainerStatuses[0].State.Terminated; s.Reason != "OOMKilled" || s.ExitCode != 137 {
		t.Errorf("ended as %+v", s)
	}
	apply(t, ns, script("killed", "kill -9 $$", "  restartPolicy: Never", limit))
	if s := ended(t, ns, "killed").Status.ContainerStatuses[0].State.Terminated; s.Reason != "Error" {
		t.Errorf("ended as %+v", s)
	}
	apply(t, ns, script("again", "exec tail /dev/zero", "", limit))
	await(t, ns, "again", "killed and waiting", func(p *v1.Pod) bool {
		for _, c := range p.Status.ContainerStatuses {
			if last := c.LastTerminationState.Terminated; last != nil && last.Reason == "OOMKilled" && c.RestartCount > 0 {
				return true
			}
		}
		return false
	})
}

func TestPodLevelResources(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("whole", "exec tail /dev/zero", "  restartPolicy: Never\n  resources: {requests: {cpu: 100m, memory: 24Mi}, limits: {cpu: 100m, memory: 24Mi}}", ""))
	p := ended(t, ns, "whole")
	if s := p.Status.ContainerStatuses[0].State.Terminated; p.Status.QOSClass != v1.PodQOSGuaranteed || s.Reason != "OOMKilled" {
		t.Errorf("class %s, ended as %+v", p.Status.QOSClass, s)
	}
	out := refused(t, ns, script("bad", "true", "  resources: {limits: {memory: 1Mi}}", "    resources: {limits: {memory: 2Mi}}"))
	if !strings.Contains(out, "must be less than or equal to pod limits of 1Mi") {
		t.Errorf("said %s", out)
	}
	out = refused(t, ns, script("bad", "true", "", "    resources: {requests: {memory: 2Mi}, limits: {memory: 1Mi}}"))
	if !strings.Contains(out, "must be less than or equal to memory limit of 1Mi") {
		t.Errorf("said %s", out)
	}
}

// TestTop: a container that does nothing but count shows about the core that it may have.
func TestTop(t *testing.T) {
	t.Parallel()
	ns := rig.Namespace(t)
	apply(t, ns, script("busy", "while :; do :; done", "", "    resources: {limits: {cpu: 200m, memory: 32Mi}}")+"---\n"+
		script("idle", "sleep 1000", "", ""))
	running(t, ns, "busy")
	running(t, ns, "idle")
	rig.Eventually(t, "figures", func() error {
		out := rig.Skerry(t, "", "top", "pods", "-n", ns, "--sort-by=cpu", "--no-headers", "--patience=20s")
		f := strings.Fields(out)
		if len(f) != 6 || f[0] != "busy" || f[3] != "idle" {
			return fmt.Errorf("top says %q", out)
		}
		cpu, err := strconv.Atoi(strings.TrimSuffix(f[1], "m"))
		if err != nil || cpu < 50 || cpu > 400 {
			return fmt.Errorf("top says %q", out)
		}
		return nil
	})
	if out := rig.Skerry(t, "", "top", "nodes", "--no-headers", "--patience=20s"); !strings.HasPrefix(out, "h1 ") || !strings.Contains(out, "Mi ") {
		t.Errorf("top nodes says %q", out)
	}
}
