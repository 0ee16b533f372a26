package metric_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/metric"
	"github.com/skerry/skerry/schemas"
)

func TestGather(t *testing.T) {
	b := bustest.Start(t)
	admin := b.Conn(t, "admin")
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 4)
	stuck := make(chan struct{})
	serve := func(name schemas.NodeName, f func(context.Context, metric.Ask) (*metric.Node, error)) {
		conn := b.Conn(t, bus.NodeUser(name))
		go func() { served <- metric.Serve(ctx, conn, name, f) }()
	}
	asked := make(chan metric.Ask, 8)
	serve("n1", func(_ context.Context, a metric.Ask) (*metric.Node, error) {
		asked <- a
		return &metric.Node{Name: "n1", Figures: metric.Figures{CPU: 5e8, Memory: 1 << 30}}, nil
	})
	serve("n2", func(context.Context, metric.Ask) (*metric.Node, error) { return nil, errors.New("no figures") })
	serve("n3", func(ctx context.Context, _ metric.Ask) (*metric.Node, error) {
		<-ctx.Done()
		close(stuck)
		return nil, ctx.Err()
	})
	serve("n4", func(context.Context, metric.Ask) (*metric.Node, error) { return &metric.Node{Name: "n1"}, nil })
	ask := metric.Ask{Pods: true, Namespace: "ns"}
	for _, n := range []schemas.NodeName{"n1", "n2", "n4"} {
		awaitServing(t, admin, n)
	}
	short, stop := context.WithTimeout(ctx, 200*time.Millisecond)
	defer stop()
	nodes := []schemas.NodeName{"n4", "n3", "gone", "n2", "n1"}
	got, silent := metric.Gather(short, admin, nodes, ask)
	if len(got) != 1 || got[0].Name != "n1" || got[0].CPU != 5e8 || got[0].Memory != 1<<30 {
		t.Errorf("answers %+v", got)
	}
	if names := fmt.Sprintln(silent[0].Node, silent[1].Node, silent[2].Node, silent[3].Node); len(silent) != 4 || names != "gone n2 n3 n4\n" {
		t.Errorf("silent %+v", silent)
	}
	cancel()
	<-stuck
	for range 4 {
		<-served
	}
	for len(asked) > 1 {
		<-asked
	}
	if a := <-asked; a != ask {
		t.Errorf("asked for %+v", a)
	}
}

// awaitServing returns once somebody answers for the node.
func awaitServing(t *testing.T, conn *bus.Conn, n schemas.NodeName) {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, silent := metric.Gather(ctx, conn, []schemas.NodeName{n}, metric.Ask{})
		cancel()
		if len(silent) == 0 || !errors.Is(silent[0].Err, bus.ErrUnreachable) {
			return
		}
	}
}
