package eviction

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
)

func TestParse(t *testing.T) {
	c, err := Parse(Settings{
		Hard: []string{"memory.available<100Mi", "nodefs.available<10%"}, Soft: []string{"memory.available<1Gi"},
		SoftGrace: map[string]string{"memory.available": "1m30s"}, Reclaim: map[string]string{"nodefs.available": "500Mi", "memory.available": "5%"},
		Transition: time.Minute, MaxGrace: 10 * time.Second,
	})
	want := []Threshold{
		{MemoryAvailable, Amount{Quantity: 100 << 20}, 0, Amount{Share: 0.05}},
		{NodeFSAvailable, Amount{Share: 0.1}, 0, Amount{Quantity: 500 << 20}},
		{MemoryAvailable, Amount{Quantity: 1 << 30}, 90 * time.Second, Amount{Share: 0.05}},
	}
	if err != nil || !slices.Equal(c.Thresholds, want) || c.Transition != time.Minute || c.MaxGrace != 10*time.Second {
		t.Errorf("got %+v, %v", c, err)
	}
	for _, bad := range []struct {
		s    Settings
		want string
	}{
		{Settings{Hard: []string{"memory.available"}}, "should be like memory.available<100Mi"},
		{Settings{Hard: []string{"memory<1"}}, `there is no signal "memory"`},
		{Settings{Hard: []string{"memory.available<x"}}, `"x" is not an amount`},
		{Settings{Hard: []string{"memory.available<-1"}}, `"-1" is not an amount`},
		{Settings{Hard: []string{"memory.available<101%"}}, "not a share"},
		{Settings{Hard: []string{"memory.available<1", "memory.available<2"}}, "there is one for memory.available already"},
		{Settings{Soft: []string{"memory.available<1"}}, "needs a grace period too"},
		{Settings{SoftGrace: map[string]string{"memory.available": "x"}}, "is not a time"},
		{Settings{SoftGrace: map[string]string{"x": "1s"}}, "there is no signal"},
		{Settings{Reclaim: map[string]string{"x": "1s"}}, "there is no signal"},
		{Settings{Reclaim: map[string]string{"memory.available": "1s"}}, "is not an amount"},
	} {
		if _, err := Parse(bad.s); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%+v: %v, want %s", bad.s, err, bad.want)
		}
	}
}

var (
	hardMemory = Threshold{Signal: MemoryAvailable, Amount: Amount{Quantity: 100}, Reclaim: Amount{Quantity: 50}}
	softMemory = Threshold{Signal: MemoryAvailable, Amount: Amount{Quantity: 300}, Grace: time.Minute}
	hardDisk   = Threshold{Signal: NodeFSAvailable, Amount: Amount{Share: 0.1}}
)

// TestDecide follows a node through time, each step with what the one before remembered.
func TestDecide(t *testing.T) {
	c := Config{Thresholds: []Threshold{hardDisk, hardMemory, softMemory}, Transition: 5 * time.Minute}
	start := time.Unix(10000, 0)
	var m memory
	for _, step := range []struct {
		name         string
		at           time.Duration
		memory, disk int64 // of 1000; -1: not measured
		pressure     string
		met          []Threshold
		near         bool
	}{
		{"all is well", 0, 900, 900, "", nil, false},
		{"near", 10 * time.Second, 500, 900, "", nil, true},
		{"soft, within its grace", 20 * time.Second, 299, 900, "MemoryPressure", nil, true},
		{"soft, after it", 80 * time.Second, 299, 900, "MemoryPressure", []Threshold{softMemory}, true},
		{"hard too: comes first", 81 * time.Second, 99, 900, "MemoryPressure", []Threshold{hardMemory, softMemory}, true},
		{"not enough reclaimed", 82 * time.Second, 149, 900, "MemoryPressure", []Threshold{hardMemory, softMemory}, true},
		{"enough for the hard one", 83 * time.Second, 150, 900, "MemoryPressure", []Threshold{softMemory}, true},
		{"memory before disk", 84 * time.Second, 99, 99, "DiskPressure MemoryPressure", []Threshold{hardMemory, softMemory, hardDisk}, true},
		{"recovered", 85 * time.Second, 900, 900, "DiskPressure MemoryPressure", nil, false},
		{"the condition stays a while", 385*time.Second - time.Second, 900, 900, "DiskPressure MemoryPressure", nil, false},
		{"and goes", 386 * time.Second, 900, 900, "", nil, false},
		{"soft again: its grace begins anew", 400 * time.Second, 200, 900, "MemoryPressure", nil, true},
		{"what is not measured ends nobody", 401 * time.Second, -1, -1, "MemoryPressure", nil, false},
	} {
		l := Levels{}
		if step.memory >= 0 {
			l[MemoryAvailable] = Level{step.memory, 1000}
		}
		if step.disk >= 0 {
			l[NodeFSAvailable] = Level{step.disk, 1000}
		}
		var p plan
		p, m = decide(c, m, l, start.Add(step.at))
		var names []string
		for n := range maps.Keys(p.pressure) {
			names = append(names, string(n))
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != step.pressure || !slices.Equal(p.met, step.met) || p.near != step.near {
			t.Errorf("%s: pressure %q, met %v, near %v", step.name, got, p.met, p.near)
		}
	}
}

func TestNothingConfigured(t *testing.T) {
	p, _ := decide(Config{}, memory{}, Levels{MemoryAvailable: {0, 1000}}, time.Now())
	if len(p.pressure)+len(p.met) != 0 || p.near {
		t.Errorf("got %+v", p)
	}
}

func TestMeaningsAreComplete(t *testing.T) {
	for s, m := range meanings {
		if m.resource == "" || m.condition != v1.NodeMemoryPressure && m.condition != v1.NodeDiskPressure && m.condition != v1.NodePIDPressure {
			t.Errorf("%s: %+v", s, m)
		}
	}
}
