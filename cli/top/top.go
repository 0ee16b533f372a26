// Package top is `skerry top`: what nodes and pods use, once or live.
//
// It reads nodes and pods from the apiserver and figures from the nodes' agents, and
// writes its output. What always holds: it waits for nobody longer than it was told to,
// shows what has come by then, and names the nodes that did not answer.
package top

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/skerry/skerry/bus/metric"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/live"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
)

// Command is `skerry top`.
type Command struct {
	Pods  Pods  `cmd:"" aliases:"pod,po" help:"Show what pods use."`
	Nodes Nodes `cmd:"" aliases:"node,no" help:"Show what nodes use."`
}

// view is the flags that both have.
type view struct {
	Selector  string        `short:"l" help:"Only those whose labels match." placeholder:"LABELS"`
	SortBy    string        `help:"Sort by cpu or memory, the most first; else by name." enum:"cpu,memory," default:"" placeholder:"FIELD"`
	NoHeaders bool          `help:"No line of headers."`
	Watch     bool          `short:"w" help:"Go on, and show anew what has changed."`
	Interval  time.Duration `help:"With --watch: how often to look." default:"2s" placeholder:"DURATION"`
	Patience  time.Duration `help:"How long to wait for nodes to answer." default:"2s" placeholder:"DURATION"`
}

// page is what is shown at one time.
type page struct {
	rows   [][]string
	silent []metric.Silent
	asked  int
	none   string // said if there is nothing to show
}

// run shows pages that make makes: one, or one after the other.
func (v *view) run(ctx context.Context, s *session.Session, make func(context.Context) (page, error)) error {
	if v.Interval < 100*time.Millisecond || v.Patience <= 0 {
		return failure.Usage("--interval must be at least 100ms, and --patience more than nothing")
	}
	p, err := make(ctx)
	if err != nil {
		return err
	}
	if !v.Watch {
		return v.once(s, p)
	}
	screen := live.New(s.Env)
	defer screen.Close()
	tick := time.NewTicker(v.Interval)
	defer tick.Stop()
	for {
		if s.Terminal == nil {
			if err := v.once(s, p); err != nil {
				return err
			}
		} else {
			screen.Set("top", fit(lines(p), height(s)))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		next, err := make(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		p = next
	}
}

func (v *view) once(s *session.Session, p page) error {
	if w := warning(p); w != "" {
		s.Warnf("%s", w)
	}
	if len(p.rows) == 0 || len(p.rows) == 1 && !v.NoHeaders {
		if len(p.silent) > 0 {
			return errors.New("no node has told what it uses")
		}
		fmt.Fprintln(s.Stderr, p.none)
		return nil
	}
	return output.NewTable(s.Stdout).Write(p.rows...)
}

// lines is a page for a screen.
func lines(p page) []string {
	var b strings.Builder
	_ = output.NewTable(&b).Write(p.rows...) // a Builder does not fail
	out := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if w := warning(p); w != "" {
		out = append(out, "", w)
	}
	return out
}

func height(s *session.Session) int {
	_, h := s.Terminal.Size()
	return h
}

// fit shortens lines to a screen of that height: what is above its edge cannot be drawn anew.
func fit(lines []string, height int) []string {
	room := height - 2
	if room < 1 || len(lines) <= room {
		return lines
	}
	return append(lines[:room:room], fmt.Sprintf("… and %d more lines", len(lines)-room))
}

// shown is how many of the nodes that did not answer are named.
const shown = 10

func warning(p page) string {
	if len(p.silent) == 0 {
		return ""
	}
	var names []string
	reasons := sets.New[string]()
	for i, n := range p.silent {
		if i < shown {
			names = append(names, string(n.Node))
		}
		reasons.Insert(why(n.Err))
	}
	if more := len(p.silent) - shown; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%d of %d nodes did not tell what they use (%s): %s",
		len(p.silent), p.asked, strings.Join(sets.List(reasons), "; "), strings.Join(names, ", "))
}

// gather asks nodes, and waits as long as the user wants to.
func (v *view) gather(ctx context.Context, s *session.Session, nodes []schemas.NodeName, a metric.Ask) ([]*metric.Node, []metric.Silent, error) {
	conn, err := s.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, v.Patience)
	defer cancel()
	answers, silent := metric.Gather(ctx, conn, nodes, a)
	return answers, silent, nil
}
