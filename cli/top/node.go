package top

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/metric"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
)

// Nodes is `skerry top nodes`.
type Nodes struct {
	view
	Name         string `arg:"" optional:"" help:"Of this node only."`
	ShowCapacity bool   `help:"In percent of what nodes have, not of what pods can have of it."`
}

// Run implements the command.
func (c *Nodes) Run(ctx context.Context, s *session.Session) error {
	if c.Name != "" && c.Selector != "" {
		return failure.Usage("a node's name does not go with a selector")
	}
	return c.run(ctx, s, func(ctx context.Context) (page, error) { return c.page(ctx, s) })
}

func (c *Nodes) page(ctx context.Context, s *session.Session) (page, error) {
	nodes, err := c.nodes(ctx, s)
	if err != nil {
		return page{}, err
	}
	var names []schemas.NodeName
	for _, n := range nodes {
		names = append(names, schemas.NodeName(n.Name))
	}
	answers, silent, err := c.gather(ctx, s, names, metric.Ask{})
	if err != nil {
		return page{}, err
	}
	p := page{silent: silent, asked: len(names), none: "No resources found"}
	if len(answers) > 0 || len(nodes) == 0 {
		p.rows = c.table(nodes, answers)
	}
	return p, nil
}

func (c *Nodes) nodes(ctx context.Context, s *session.Session) ([]*corev1.Node, error) {
	client, err := s.Client(ctx)
	if err != nil {
		return nil, err
	}
	objs := []schemas.Object{nil}
	if c.Name != "" {
		objs[0], err = client.Get(ctx, schemas.Ref{Resource: schemas.Nodes, Name: schemas.Name(c.Name)})
	} else {
		objs, _, err = client.List(ctx, schemas.Nodes, "", metav1.ListOptions{LabelSelector: c.Selector})
	}
	if err != nil {
		return nil, err
	}
	var out []*corev1.Node
	for _, o := range objs {
		n, ok := o.(*corev1.Node)
		if !ok {
			return nil, fmt.Errorf("the answer is a %T", o)
		}
		out = append(out, n)
	}
	return out, nil
}

const unknown = "<unknown>"

// table makes the lines of nodes. One that did not answer has a line too, at the end.
func (c *Nodes) table(nodes []*corev1.Node, answers []*metric.Node) [][]string {
	got := map[string]*metric.Node{}
	for _, a := range answers {
		got[string(a.Name)] = a
	}
	var rows []row
	var without [][]string
	for _, n := range nodes {
		a := got[n.Name]
		if a == nil {
			without = append(without, []string{n.Name, unknown, unknown, unknown, unknown})
			continue
		}
		have := n.Status.Allocatable
		if c.ShowCapacity {
			have = n.Status.Capacity
		}
		rows = append(rows, row{names: []string{n.Name}, Figures: a.Figures, cpu: have.Cpu().MilliValue() * 1_000_000, memory: have.Memory().Value()})
	}
	order(rows, c.SortBy)
	var out [][]string
	if !c.NoHeaders {
		out = append(out, []string{"NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"})
	}
	for _, r := range rows {
		out = append(out, append(r.names, cores(r.CPU), share(r.CPU, r.cpu), mebibytes(r.Memory), share(r.Memory, r.memory)))
	}
	return append(out, without...)
}
