// Package why is `skerry why`: it asks the scheduler why a pod is where it is, or on
// no node, and what would change that.
//
// It reads pods/placement through the apiserver and writes to the terminal only.
package why

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/placement"
)

// Command is `skerry why`.
type Command struct {
	Pod    string `arg:"" help:"The pod: pod/NAME, or a workload (deployment/NAME), of which a pod that waits is taken."`
	Output string `short:"o" help:"json or yaml: all that the scheduler says." placeholder:"FORMAT"`
	All    bool   `short:"a" help:"All nodes that the scheduler tells of, not only the first."`
}

// shown is how many nodes are printed without --all.
const shown = 12

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	if c.Output != "" && c.Output != "json" && c.Output != "yaml" {
		return failure.Usage("-o %s: why prints json or yaml", c.Output)
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	pods, err := target.PodsOf(ctx, client, s.Table, s.Namespace(), c.Pod)
	if err != nil {
		return err
	}
	pod := pods[len(pods)-1] // of a workload's pods, the one that has come least far
	reply, err := client.Do(ctx, &api.Request{Verb: api.VerbGet, Resource: schemas.Pods, Namespace: schemas.Namespace(pod.Namespace), Name: schemas.Name(pod.Name), Subresource: "placement"})
	if err != nil {
		return err
	}
	var e placement.Explanation
	if err := json.Unmarshal(reply.Body, &e); err != nil {
		return fmt.Errorf("read explanation: %w", err)
	}
	switch c.Output {
	case "json":
		b, err := json.MarshalIndent(&e, "", "    ")
		if err != nil {
			return fmt.Errorf("encode explanation: %w", err)
		}
		s.Printf("%s\n", b)
	case "yaml":
		b, err := yaml.Marshal(&e)
		if err != nil {
			return fmt.Errorf("encode explanation: %w", err)
		}
		s.Printf("%s", b)
	default:
		limit := shown
		if c.All {
			limit = placement.MaxNodes
		}
		write(s.Stdout, &e, limit)
	}
	return nil
}

// write says it in words.
func write(w io.Writer, e *placement.Explanation, limit int) {
	switch {
	case e.Node != "":
		placed(w, e, limit)
	case e.Fits > 0 && e.Message != "":
		fmt.Fprintf(w, "Pod %s is on no node, although it alone fits on %d of %d.\n  %s\nNearest change: %s.\n\n", e.Pod, e.Fits, e.Total, e.Message, e.Change)
		scores(w, e, limit)
	case e.Fits > 0:
		fmt.Fprintf(w, "Pod %s is on no node yet, but fits on %d of %d: it is about to be placed.\n", e.Pod, e.Fits, e.Total)
		scores(w, e, limit)
	default:
		waiting(w, e, limit)
	}
}

func placed(w io.Writer, e *placement.Explanation, limit int) {
	switch {
	case len(e.Nodes) == 0:
		fmt.Fprintf(w, "Pod %s is on %s. %s\n", e.Pod, e.Node, e.Message)
		return
	case !e.Nodes[0].Fits:
		fmt.Fprintf(w, "Pod %s is on %s, where it would not be placed now:\n", e.Pod, e.Node)
		refusals(w, e.Nodes[:1], limit)
		return
	case e.Nodes[0].Name == e.Node:
		fmt.Fprintf(w, "Pod %s is on %s. Placed now it would go there again: of the %d of %d nodes that it fits on, that one scores highest.\n", e.Pod, e.Node, e.Fits, e.Total)
	default:
		fmt.Fprintf(w, "Pod %s is on %s. It fits on %d of %d nodes; placed now it would go to %s.\n", e.Pod, e.Node, e.Fits, e.Total, e.Nodes[0].Name)
	}
	decided(w, e.Decided)
	scores(w, e, limit)
}

func waiting(w io.Writer, e *placement.Explanation, limit int) {
	fmt.Fprintf(w, "Pod %s is on no node.\n", e.Pod)
	if e.Message != "" {
		fmt.Fprintf(w, "  %s\n", e.Message)
	}
	if e.Change != "" {
		fmt.Fprintf(w, "Nearest change: %s.\n", e.Change)
	}
	switch {
	case e.Preemption != nil:
		var names []string
		for _, v := range e.Preemption.Victims {
			names = append(names, fmt.Sprintf("%s (priority %d, %s)", v.Pod, v.Priority, v.Amount))
		}
		fmt.Fprintf(w, "Preemption: on %s it would cost %s", e.Preemption.Node, strings.Join(names, ", "))
		if e.Preemption.Violations > 0 {
			fmt.Fprintf(w, "; for %d of them against a PodDisruptionBudget", e.Preemption.Violations)
		}
		fmt.Fprintln(w, ".")
	case e.NoPreemption != "":
		fmt.Fprintf(w, "Preemption: %s\n", e.NoPreemption)
	}
	if len(e.Nodes) > 0 {
		fmt.Fprintln(w)
		refusals(w, e.Nodes, limit)
	}
}

func refusals(w io.Writer, nodes []placement.Node, limit int) {
	rows := [][]string{{"NODE", "CONSTRAINT", "REASON"}}
	for _, n := range nodes[:min(len(nodes), limit)] {
		name := n.Name
		for _, r := range n.Refused {
			rows = append(rows, []string{name, r.Constraint, r.Message + held(r.HeldBy)})
			name = ""
		}
	}
	_ = output.NewTable(w).Write(rows...) // the terminal went away
	if more := len(nodes) - limit; more > 0 {
		fmt.Fprintf(w, "… and %d more nodes; see --all.\n", more)
	}
}

func held(by []placement.Holder) string {
	if len(by) == 0 {
		return ""
	}
	var names []string
	for _, h := range by {
		names = append(names, strings.TrimSpace(h.Pod+" "+h.Amount))
	}
	return "; held by " + strings.Join(names, ", ")
}

// parts are what a score is made of, the whole first; figures is one, in this order.
var parts = []string{"SCORE", "FREE", "BALANCE", "IMAGES", "AFFINITY", "TAINTS", "SPREAD", "PODS"}

func figures(s *placement.Score) (out []string) {
	for _, v := range []float64{s.Total, s.ResourcesFit, s.BalancedAllocation, s.ImageLocality, s.NodeAffinity, s.TaintToleration, s.TopologySpread, s.PodAffinity} {
		out = append(out, fmt.Sprintf("%.1f", v))
	}
	return out
}

// decided tells what the node scored when it was chosen.
func decided(w io.Writer, d *placement.Decided) {
	if d == nil {
		fmt.Fprintln(w, "What decided when it was placed is not remembered (any more). As if it were placed now:")
		return
	}
	list := figures(&d.Score)
	var terms []string
	for i, name := range parts[1:] {
		terms = append(terms, strings.ToLower(name)+" "+list[i+1])
	}
	fmt.Fprintf(w, "It was chosen at %s with a score of %s (%s). As if it were placed now:\n", d.At.UTC().Format(time.RFC3339), list[0], strings.Join(terms, ", "))
}

func scores(w io.Writer, e *placement.Explanation, limit int) {
	rows := [][]string{append([]string{"NODE"}, parts...)}
	n := 0
	for _, node := range e.Nodes {
		if node.Score == nil || n >= limit && node.Name != e.Node {
			continue
		}
		n++
		s := node.Score
		name := node.Name
		if name == e.Node {
			name += " *"
		}
		rows = append(rows, append([]string{name}, figures(s)...))
	}
	_ = output.NewTable(w).Write(rows...) // the terminal went away
}
