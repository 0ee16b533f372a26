package probe_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/action"
	"github.com/skerry/skerry/services/agent/probe"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// cpu is what this process has used so far.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// failures counts probes that failed.
type failures struct{ atomic.Int64 }

func (f *failures) EventAt(schemas.Object, string, string, string, string) { f.Add(1) }

// BenchmarkProbes runs 10,000 probes a minute for ten seconds against a local server, and tells
// the share of one core that they take: the server's own share is in it, so it is an upper bound.
func BenchmarkProbes(b *testing.B) {
	const targets = 1667 // each every 10 s
	var served atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) }))
	defer s.Close()
	at := netip.MustParseAddrPort(s.Listener.Addr().String())
	port := intstr.FromInt32(int32(at.Port()))
	for name, h := range map[string]v1.ProbeHandler{
		"http": {HTTPGet: &v1.HTTPGetAction{Path: "/", Port: port}},
		"tcp":  {TCPSocket: &v1.TCPSocketAction{Port: port}},
	} {
		b.Run(name, func(b *testing.B) {
			spec := &v1.Probe{ProbeHandler: h, PeriodSeconds: 10, TimeoutSeconds: 5, SuccessThreshold: 1, FailureThreshold: 3}
			var failed failures
			p := probe.New(action.New(nil), &failed, func(sandbox.Key) {})
			for i := range targets {
				c := &v1.Container{LivenessProbe: spec}
				p.Set(sandbox.Key{Namespace: "default", Name: schemas.Name(fmt.Sprint("p", i))}, []probe.Target{{
					Target: action.Target{ID: fmt.Sprint("c", i), IP: at.Addr().String(), Container: c},
					Pod:    &v1.Pod{}, StartedAt: time.Now().Add(-time.Hour), Started: true,
				}})
			}
			const span = 10 * time.Second
			for b.Loop() {
				before := cpu(b)
				run(b, p, span)
				used := cpu(b) - before
				b.ReportMetric(100*float64(used)/float64(span), "%core")
				b.ReportMetric(float64(used.Microseconds())/targets, "cpu-µs/probe")
			}
			if n := failed.Load(); n > 0 {
				b.Errorf("%d probes failed", n)
			}
		})
	}
	if served.Load() == 0 {
		b.Error("no probe arrived")
	}
}

// run runs the prober for a while.
func run(b *testing.B, p *probe.Prober, d time.Duration) {
	ctx, cancel := context.WithTimeout(b.Context(), d)
	defer cancel()
	if err := p.Run(ctx); err == nil {
		b.Error("the prober ended by itself")
	}
}
