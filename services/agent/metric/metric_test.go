package metric

import (
	"context"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skerry/skerry/bus/metric"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/cgroup"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// counters is a host whose CPU counters are the time that has passed.
type counters struct {
	begun time.Time
	looks int
}

func (c *counters) Host() cgroup.Host {
	return cgroup.Host{CPU: 2 * time.Since(c.begun), Memory: 1000, Available: 400}
}

func (c *counters) Usage() []cgroup.Usage {
	c.looks++
	used := func(ns schemas.Namespace, pod schemas.Name, container, id string, cpu time.Duration) cgroup.Usage {
		p := cgroup.Process{Key: sandbox.Key{Namespace: ns, Name: pod}, Container: container, ID: id, UID: "u"}
		return cgroup.Usage{Process: p, CPU: cpu, Memory: 10}
	}
	return []cgroup.Usage{
		used("b", "web", "side", "2", time.Since(c.begun)/4), used("b", "web", "main", "1", time.Since(c.begun)/2), used("a", "db", "main", "3", 0),
	}
}

func TestSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counters{begun: time.Now()}
		s := New("n1", c, time.Now)
		got, err := s.Sample(t.Context(), metric.Ask{Pods: true})
		if err != nil {
			t.Fatal(err)
		}
		figures := func(cpu, memory int64) metric.Figures { return metric.Figures{CPU: cpu, Memory: memory} }
		want := &metric.Node{Name: "n1", At: got.At, Window: 500 * time.Millisecond, Figures: figures(2e9, 600), Pods: []metric.Pod{
			{Namespace: "a", Name: "db", UID: "u", Containers: []metric.Container{{Name: "main", Figures: figures(0, 10)}}},
			{Namespace: "b", Name: "web", UID: "u", Containers: []metric.Container{
				{Name: "main", Figures: figures(5e8, 10)}, {Name: "side", Figures: figures(25e7, 10)},
			}},
		}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		// Who asks again at once is told the same, and costs nothing.
		if got, _ = s.Sample(t.Context(), metric.Ask{Pods: true, Namespace: "a"}); len(got.Pods) != 1 || c.looks != 2 {
			t.Errorf("the second time: %+v after %d looks", got, c.looks)
		}
		if got, _ = s.Sample(t.Context(), metric.Ask{}); got.Pods != nil || got.CPU != 2e9 {
			t.Errorf("without pods: %+v", got)
		}
		<-time.After(5 * time.Second)
		if got, _ = s.Sample(t.Context(), metric.Ask{}); got.Window != 5*time.Second || c.looks != 3 {
			t.Errorf("later: %+v after %d looks", got, c.looks)
		}
		<-time.After(time.Hour)
		if got, _ = s.Sample(t.Context(), metric.Ask{}); got.Window != 500*time.Millisecond {
			t.Errorf("much later: %+v", got)
		}
		<-time.After(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err = s.Sample(ctx, metric.Ask{}); err == nil {
			t.Error("a caller without patience was answered")
		}
	})
}

func TestNewContainerAndCounterThatFell(t *testing.T) {
	at := time.Unix(1000, 0)
	use := func(id string, cpu time.Duration) cgroup.Usage {
		return cgroup.Usage{Process: cgroup.Process{ID: id, Container: id}, CPU: cpu}
	}
	before := look{at: at, used: map[string]cgroup.Usage{"fell": use("fell", time.Hour)}}
	after := look{at: at.Add(2 * time.Second), used: map[string]cgroup.Usage{"fell": use("fell", time.Second), "new": use("new", time.Second)}}
	got := compare("n", before, after).Pods[0].Containers
	if got[0].CPU != 0 || got[1].CPU != 5e8 {
		t.Errorf("got %+v", got)
	}
}
