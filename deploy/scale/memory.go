package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// memory is what processes have at one moment, in bytes.
type memory struct {
	live     int64 // heap after a collection, and stacks
	resident int64 // before it: with what the collector had left until then
}

// memories are those of a cluster without nodes, without pods, and with all of them.
type memories struct {
	bare       memory // of the control plane
	idle, full struct{ control, nodes memory }
}

// memory has ps collect their garbage and adds up what is left.
func (c *cluster) memory(ctx context.Context, ps ...*process) (m memory, err error) {
	for _, p := range ps {
		u, err := p.usage()
		if err != nil {
			return m, err
		}
		live, err := p.live(ctx)
		if err != nil {
			return m, fmt.Errorf("ask %s for its memory: %w", p.name, err)
		}
		m.live, m.resident = m.live+live, m.resident+u.rss
	}
	return m, nil
}

// both are the memories of the control plane and of all nodes.
func (c *cluster) both(ctx context.Context) (m struct{ control, nodes memory }, err error) {
	if m.control, err = c.memory(ctx, c.control); err != nil {
		return m, err
	}
	m.nodes, err = c.memory(ctx, c.nodes...)
	return m, err
}

// live is what a process has on its heap after a collection, and in stacks. Go's profile of
// the heap, as text, ends with the runtime's figures.
func (p *process) live(ctx context.Context) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/debug/pprof/heap?gc=1&debug=1", p.pprof), nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return readLive(resp.Body)
}

func readLive(r io.Reader) (int64, error) {
	var heap, stack int64
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "# "), " = ")
		switch name {
		case "HeapAlloc":
			_, _ = fmt.Sscan(value, &heap) // 0 is an error below
		case "Stack":
			_, _ = fmt.Sscan(value, &stack)
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	if heap == 0 || stack == 0 {
		return 0, errors.New("the profile does not tell")
	}
	return heap + stack, nil
}

// per is what n things take that are there at the second moment and not at the first.
func per(n int, before, after int64) float64 { return float64(after-before) / float64(n) }

// podBytes are what a pod takes in the control plane and in the simulated nodes.
func (r result) podBytes(of func(memory) int64) (control, nodes float64) {
	return per(r.pods, of(r.memory.idle.control), of(r.memory.full.control)), per(r.pods, of(r.memory.idle.nodes), of(r.memory.full.nodes))
}

// nodeBytes are what a node takes there.
func (r result) nodeBytes(of func(memory) int64) (control, nodes float64) {
	return per(r.nodes, of(r.memory.bare), of(r.memory.idle.control)), per(r.nodes, 0, of(r.memory.idle.nodes))
}

func live(m memory) int64     { return m.live }
func resident(m memory) int64 { return m.resident }

// memoryRows tell what a pod and a node take.
func (r result) memoryRows() []row {
	line := func(bytes func(func(memory) int64) (float64, float64)) (result, more string) {
		control, nodes := bytes(live)
		c, n := bytes(resident)
		return fmt.Sprintf("%s and %s live", kib(control), kib(nodes)), fmt.Sprintf("%s and %s resident", kib(c), kib(n))
	}
	pod, podMore := line(r.podBytes)
	node, nodeMore := line(r.nodeBytes)
	return []row{
		{what: "— memory of a pod: bus and control plane, simulated nodes", result: pod, more: podMore},
		{what: "— memory of a node: bus and control plane, simulated nodes", result: node, more: nodeMore},
	}
}

func kib(bytes float64) string {
	if bytes >= 100<<10 {
		return fmt.Sprintf("%.0f KiB", bytes/1024)
	}
	return fmt.Sprintf("%.1f KiB", bytes/1024)
}
