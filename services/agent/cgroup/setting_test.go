package cgroup

import (
	"reflect"
	"testing"

	"github.com/skerry/skerry/services/agent/sandbox"
)

func TestSettingsOnV2(t *testing.T) {
	h := host(t, map[string]string{
		"proc/7/cgroup":                 "0::/pod/libpod-abc\n",
		"sys/pod/libpod-abc/cpu.weight": "20\n", "sys/pod/libpod-abc/cpu.max": "50000 100000\n",
		"sys/pod/libpod-abc/memory.max": "67108864\n", "sys/pod/libpod-abc/pids.max": "max\n",
		"sys/pod/cpu.weight": "39\n", "sys/pod/cpu.max": "max 100000\n", "sys/pod/memory.max": "max\n", "sys/pod/pids.max": "max\n",
	})
	h.Watch(Process{UID: "u", Container: "c", ID: "abc", PID: 7})
	got, ok := h.Settings("abc")
	if want := (sandbox.Resources{CPUShares: 500, CPUQuota: 50000, CPUPeriod: 100000, Memory: 64 << 20}); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("container: %+v, want %+v", got, want)
	}
	next := sandbox.Resources{CPUShares: 1024, CPUQuota: 200000, CPUPeriod: 100000, Memory: 1 << 30}
	if err := h.SetPod("u", next); err != nil {
		t.Fatal(err)
	}
	got, _ = h.PodSettings("u")
	next.CPUShares = 998 // a weight of 39
	if !reflect.DeepEqual(got, next) {
		t.Errorf("pod: %+v, want %+v", got, next)
	}
	if err := h.SetPod("u", sandbox.Resources{CPUShares: 2}); err != nil {
		t.Fatal(err)
	}
	if got, _ = h.PodSettings("u"); !reflect.DeepEqual(got, sandbox.Resources{CPUShares: 2}) {
		t.Errorf("pod without limits: %+v", got)
	}
	if h.SetPod("other", next) == nil {
		t.Error("limits of a pod that is not here were set")
	}
}

func TestWeights(t *testing.T) {
	for shares, want := range map[uint64]int64{0: 100, 1: 1, 2: 1, 1024: 39, 2048: 79, 262144: 10000, 1 << 40: 10000} {
		if got := weight(shares); got != want {
			t.Errorf("%d shares: weight %d, want %d", shares, got, want)
		}
	}
}
