package cgroup

import (
	"slices"
	"strings"
	"testing"
)

func TestVictims(t *testing.T) {
	pod, id := strings.Repeat("0f", 32), strings.Repeat("a1", 32)
	for record, want := range map[string][]string{
		"6,33318,10911084915,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=libpod-" + id + ",mems_allowed=0,oom_memcg=/libpod_parent/" + pod +
			",task_memcg=/libpod_parent/" + pod + "/libpod-" + id + ",task=tail,pid=10865,uid=0\n": {pod, id},
		"6,1,2,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/machine.slice/libpod-" + id +
			".scope/container/below,task=tail,pid=1,uid=0": {id},
		"6,1,2,-;oom-kill:constraint=CONSTRAINT_NONE,cpuset=libpod-" + id + ",task_memcg=/user.slice,task=x,pid=1,uid=0": nil,
		"6,1,2,-;task_memcg=/libpod-" + id: nil,
		"4,1,2,-;oom-kill:":                nil,
		"":                                 nil,
	} {
		if got := victims(record); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", record, got, want)
		}
	}
}

// TestKernelLogTells: a kill is known of that came before anybody watched the container.
func TestKernelLogTells(t *testing.T) {
	id := strings.Repeat("b2", 32)
	h := host(t, map[string]string{"kmsg": "6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,task_memcg=/libpod-" + id + ",task=x,pid=1,uid=0\n"})
	if !h.Told() || !h.Ended(id) || !h.Ended(id) || h.Ended(strings.Repeat("c3", 32)) {
		t.Error("the log was not understood")
	}
	if h := host(t, nil); h.Told() || h.Ended(id) {
		t.Error("there is no log")
	}
}
