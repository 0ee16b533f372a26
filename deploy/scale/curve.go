package main

import (
	"context"
	"fmt"
	"strings"
)

// curveLines are where the curve's table stands in a page.
var curveLines = lines{"<!-- curve: begin -->", "<!-- curve: end -->"}

// measureCurve measures sizes whose pods stay: up to so many that one machine is full of them. The
// control plane is killed and started again with all of them.
func (t *task) measureCurve(ctx context.Context) error {
	o := t.options
	o.memlimit, o.stay, o.restart, o.idle, o.singles = t.curveLimit, true, true, 0, 0
	o.memory, o.disk = t.curveMemory, t.curveDisk
	var err error
	t.points, err = t.each(ctx, t.curve, o)
	return err
}

// curveTable has a line for each size.
func curveTable(results []result) string {
	var b strings.Builder
	b.WriteString(machine())
	b.WriteString("| Pods on nodes, of one Deployment | To all Running | Bus and control plane: CPU-s per 1,000 pods, memory (peak) | Nodes: the same | " +
		"A pod's bytes in both, a node's in both, live | A get, and a watcher, meanwhile: p50, p99 each | `skerry get pods -A`: first row, all, the command | " +
		"Killed and started again: ready, all listed, another pod Running; CPU, peak |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| %s on %s | %s, %.0f pods/s | %.2f, %s (%s) | %.2f, %s | %s | %s | %s | %s |\n", thousands(r.pods), thousands(r.nodes),
			show(r.start.took), r.start.rate(r.pods), r.perThousand(r.start.control), mib(r.start.control.rss), mib(r.start.control.peak),
			r.perThousand(r.start.nodes), mib(r.start.nodes.rss), r.bytesCell(), r.probe.cell(), r.list.cell(), r.again.cell())
	}
	return b.String()
}

func (r result) bytesCell() string {
	pod, podNode := r.podBytes(live)
	node, nodeNode := r.nodeBytes(live)
	return fmt.Sprintf("%s, %s; %s, %s", kib(pod), kib(podNode), kib(node), kib(nodeNode))
}

func (p *probe) cell() string {
	return fmt.Sprintf("%s, %s; %s, %s", show(p.gets.quantile(0.5)), show(p.gets.quantile(0.99)), show(p.news.quantile(0.5)), show(p.news.quantile(0.99)))
}

func (l *listing) cell() string {
	if l == nil {
		return "not measured"
	}
	return fmt.Sprintf("%s, %s, %s", show(l.first), show(l.all), mib(l.memory))
}

func (r *restarted) cell() string {
	if r == nil {
		return "not measured"
	}
	return fmt.Sprintf("%s, %s, %s; %.1f s, %s", show(r.ready), show(r.all), show(r.next), r.cpu.Seconds(), mib(r.peak))
}

// thousands writes 1000000 as 1,000,000.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
