package top

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/metric"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
)

func TestOrder(t *testing.T) {
	at := func(name string, cpu, memory int64) row {
		return row{names: []string{name}, Figures: metric.Figures{CPU: cpu, Memory: memory}}
	}
	for by, want := range map[string]string{"": "a b c d", "cpu": "c a b d", "memory": "d b a c"} {
		rows := []row{at("d", 1, 9), at("b", 1, 5), at("c", 7, 0), at("a", 1, 0)}
		order(rows, by)
		var got []string
		for _, r := range rows {
			got = append(got, r.names[0])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("by %q: %v, want %s", by, got, want)
		}
	}
}

func TestCells(t *testing.T) {
	for got, want := range map[string]string{
		cores(0): "0m", cores(1): "1m", cores(1_500_000_000): "1500m", mebibytes(1<<30 + 1): "1024Mi",
		share(1, 3): "33%", share(1, 0): "<unknown>",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestWarning(t *testing.T) {
	var p page
	for i := range 13 {
		err := fmt.Errorf("request: %w", context.DeadlineExceeded)
		if i == 0 {
			err = bus.ErrUnreachable
		}
		p.silent = append(p.silent, metric.Silent{Node: schemas.NodeName(fmt.Sprintf("n%d", i)), Err: err})
	}
	p.asked = 5000
	want := "13 of 5000 nodes did not tell what they use (no agent answers; no answer in time): n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, and 3 more"
	if got := warning(p); got != want {
		t.Errorf("got %s", got)
	}
}

func TestFit(t *testing.T) {
	all := []string{"1", "2", "3", "4", "5"}
	for height, want := range map[int][]string{0: all, 7: all, 6: {"1", "2", "3", "4", "… and 1 more lines"}, 3: {"1", "… and 4 more lines"}} {
		if got := fit(all, height); !slices.Equal(got, want) {
			t.Errorf("%d rows: %v", height, got)
		}
	}
}

// TestWatch goes on until it is stopped, and ends with an error that it meets.
func TestWatch(t *testing.T) {
	var out strings.Builder
	s := session.New(session.Env{Stdout: &out, Stderr: &out}, session.Globals{})
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	v := view{Watch: true, Interval: 100 * time.Millisecond, Patience: time.Second}
	err := v.run(ctx, s, func(context.Context) (page, error) {
		if n++; n == 3 {
			cancel()
		}
		return page{rows: [][]string{{"NAME"}, {fmt.Sprint("row", n)}}}, nil
	})
	if err != nil || out.String() != "NAME\nrow1\nNAME\nrow2\n" {
		t.Errorf("printed %q, %v", out.String(), err)
	}
	broken := errors.New("broken")
	if err := v.run(t.Context(), s, func(context.Context) (page, error) { return page{}, broken }); !errors.Is(err, broken) {
		t.Errorf("ended with %v", err)
	}
	v.Interval = 0
	if err := v.run(t.Context(), s, nil); err == nil {
		t.Error("an interval of nothing was accepted")
	}
}
