package top

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/skerry/skerry/bus/metric"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
)

// Pods is `skerry top pods`.
type Pods struct {
	view
	Name          string `arg:"" optional:"" help:"Of this pod only."`
	AllNamespaces bool   `short:"A" help:"Of all namespaces."`
	FieldSelector string `help:"Only those whose fields match." placeholder:"FIELDS"`
	Containers    bool   `help:"Each container by itself."`
	Sum           bool   `help:"The sum of all at the end."`
}

// Run implements the command.
func (c *Pods) Run(ctx context.Context, s *session.Session) error {
	if c.Name != "" && (c.Selector != "" || c.AllNamespaces) {
		return failure.Usage("a pod's name goes with neither a selector nor --all-namespaces")
	}
	return c.run(ctx, s, func(ctx context.Context) (page, error) { return c.page(ctx, s) })
}

func (c *Pods) page(ctx context.Context, s *session.Session) (page, error) {
	pods, err := c.pods(ctx, s)
	if err != nil {
		return page{}, err
	}
	ask := metric.Ask{Pods: true}
	p := page{none: "No resources found"}
	if !c.AllNamespaces {
		ask.Namespace = s.Namespace()
		p.none = fmt.Sprintf("No resources found in %s namespace.", ask.Namespace)
	}
	nodes := nodesOf(pods)
	p.asked = len(nodes)
	answers, silent, err := c.gather(ctx, s, nodes, ask)
	if err != nil {
		return p, err
	}
	p.silent = silent
	found := match(pods, answers)
	if c.Name != "" && len(found) == 0 && len(silent) == 0 {
		return p, fmt.Errorf("metrics not available for pod %s/%s", s.Namespace(), c.Name)
	}
	p.rows = c.table(found)
	return p, nil
}

// pods are those that were asked for.
func (c *Pods) pods(ctx context.Context, s *session.Session) ([]*corev1.Pod, error) {
	client, err := s.Client(ctx)
	if err != nil {
		return nil, err
	}
	if c.Name != "" {
		obj, err := client.Get(ctx, schemas.Ref{Resource: schemas.Pods, Namespace: s.Namespace(), Name: schemas.Name(c.Name)})
		if err != nil {
			return nil, err
		}
		if p, ok := obj.(*corev1.Pod); ok {
			return []*corev1.Pod{p}, nil
		}
		return nil, fmt.Errorf("the answer is a %T", obj)
	}
	ns := s.Namespace()
	if c.AllNamespaces {
		ns = ""
	}
	if _, err := fields.ParseSelector(c.FieldSelector); err != nil {
		return nil, failure.Usage("--field-selector: %w", err)
	}
	objs, _, err := client.List(ctx, schemas.Pods, ns, metav1.ListOptions{LabelSelector: c.Selector, FieldSelector: c.FieldSelector})
	if err != nil {
		return nil, err
	}
	var out []*corev1.Pod
	for _, o := range objs {
		if p, ok := o.(*corev1.Pod); ok {
			out = append(out, p)
		}
	}
	return out, nil
}

// nodesOf are the nodes that have something to tell of pods.
func nodesOf(pods []*corev1.Pod) []schemas.NodeName {
	var out []schemas.NodeName
	seen := map[string]bool{"": true}
	for _, p := range pods {
		over := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
		if n := p.Spec.NodeName; !seen[n] && !over {
			seen[n] = true
			out = append(out, schemas.NodeName(n))
		}
	}
	slices.Sort(out)
	return out
}

// match picks the figures of pods: by uid, as a name can be used again.
func match(pods []*corev1.Pod, answers []*metric.Node) []metric.Pod {
	want := map[string]bool{}
	for _, p := range pods {
		want[string(p.UID)] = true
	}
	var out []metric.Pod
	for _, n := range answers {
		for _, p := range n.Pods {
			if want[string(p.UID)] {
				out = append(out, p)
			}
		}
	}
	return out
}

// table makes the lines of pods, or of their containers.
func (c *Pods) table(pods []metric.Pod) [][]string {
	var rows []row
	var sum metric.Figures
	for _, p := range pods {
		whole := metric.Figures{}
		names := []string{string(p.Name)}
		if c.AllNamespaces {
			names = []string{string(p.Namespace), string(p.Name)}
		}
		for _, ct := range p.Containers {
			whole.CPU += ct.CPU
			whole.Memory += ct.Memory
			if c.Containers {
				rows = append(rows, row{names: append(slices.Clone(names), ct.Name), Figures: ct.Figures})
			}
		}
		if !c.Containers {
			rows = append(rows, row{names: names, Figures: whole})
		}
		sum.CPU += whole.CPU
		sum.Memory += whole.Memory
	}
	order(rows, c.SortBy)
	header := []string{"NAME"}
	if c.Containers {
		header = []string{"POD", "NAME"}
	}
	if c.AllNamespaces {
		header = append([]string{"NAMESPACE"}, header...)
	}
	width := len(header)
	var out [][]string
	if !c.NoHeaders {
		out = append(out, append(header, "CPU(cores)", "MEMORY(bytes)"))
	}
	for _, r := range rows {
		out = append(out, append(r.names, cores(r.CPU), mebibytes(r.Memory)))
	}
	if c.Sum && len(rows) > 0 {
		out = append(out, append(make([]string, width), "________", "________"),
			append(make([]string, width), cores(sum.CPU), mebibytes(sum.Memory)))
	}
	return out
}
