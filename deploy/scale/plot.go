package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
)

// series is one line of a plot: a value at each size.
type series struct {
	name, unit string
	of         func(result) float64
}

var plotted = []series{
	{"pods per second", "/s", func(r result) float64 { return r.start.rate(r.pods) }},
	{"CPU per pod", "ms", func(r result) float64 { return r.start.control.cpu.Seconds() * 1000 / float64(r.pods) }},
	{"a pod in the control plane, live", "KiB", func(r result) float64 { c, _ := r.podBytes(live); return c / 1024 }},
	{"the same, resident", "KiB", func(r result) float64 { c, _ := r.podBytes(resident); return c / 1024 }},
	{"a pod in simulated nodes, live", "KiB", func(r result) float64 { _, n := r.podBytes(live); return n / 1024 }},
	{"the same, resident", "KiB", func(r result) float64 { _, n := r.podBytes(resident); return n / 1024 }},
	{"a node in the control plane, live", "KiB", func(r result) float64 { c, _ := r.nodeBytes(live); return c / 1024 }},
	{"a simulated node, live", "KiB", func(r result) float64 { _, n := r.nodeBytes(live); return n / 1024 }},
	{"list: first row", "ms", func(r result) float64 { return r.list.first.Seconds() * 1000 }},
	{"list: all rows", "ms", func(r result) float64 { return r.list.all.Seconds() * 1000 }},
	{"restart: all listed", "s", func(r result) float64 {
		if r.again == nil {
			return 0
		}
		return r.again.all.Seconds()
	}},
	{"get, p50", "ms", func(r result) float64 { return r.probe.gets.quantile(0.5).Seconds() * 1000 }},
	{"get, p99", "ms", func(r result) float64 { return r.probe.gets.quantile(0.99).Seconds() * 1000 }},
	{"write to watcher, p50", "ms", func(r result) float64 { return r.probe.news.quantile(0.5).Seconds() * 1000 }},
	{"write to watcher, p99", "ms", func(r result) float64 { return r.probe.news.quantile(0.99).Seconds() * 1000 }},
}

const (
	panelWidth, panelHeight = 320, 190
	marginX, marginY        = 58, 34
)

// plot draws a panel for each series over the number of pods, which has a logarithmic axis.
func plot(path string, results []result) error {
	var b strings.Builder
	columns := 3
	rows := (len(plotted) + columns - 1) / columns
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n",
		columns*panelWidth, rows*panelHeight)
	b.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	for i, s := range plotted {
		panel(&b, float64(i%columns*panelWidth), float64(i/columns*panelHeight), s, results)
	}
	b.WriteString("</svg>\n")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("write plot: %w", err)
	}
	return nil
}

func panel(b *strings.Builder, x, y float64, s series, results []result) {
	results = slices.DeleteFunc(slices.Clone(results), func(r result) bool { return s.of(r) <= 0 }) // not measured
	if len(results) == 0 {
		return
	}
	most := 0.0
	for _, r := range results {
		most = max(most, s.of(r))
	}
	if most == 0 {
		most = 1
	}
	first, last := math.Log10(float64(results[0].pods)), math.Log10(float64(results[len(results)-1].pods))
	if first == last {
		last = first + 1
	}
	width, height := float64(panelWidth-marginX-20), float64(panelHeight-2*marginY)
	at := func(r result) (float64, float64) {
		return x + marginX + width*(math.Log10(float64(r.pods))-first)/(last-first), y + marginY + height*(1-s.of(r)/most)
	}
	fmt.Fprintf(b, `<text x="%.0f" y="%.0f" font-weight="bold">%s</text>`+"\n", x+marginX, y+20, s.name)
	fmt.Fprintf(b, `<path d="M%.0f %.0fv%.0fh%.0f" fill="none" stroke="#888"/>`+"\n", x+marginX, y+marginY, height, width)
	fmt.Fprintf(b, `<text x="%.0f" y="%.0f" text-anchor="end">%.3g %s</text>`+"\n", x+marginX-4, y+marginY+4, most, s.unit)
	var points []string
	for _, r := range results {
		px, py := at(r)
		points = append(points, fmt.Sprintf("%.1f,%.1f", px, py))
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="#0a6"/><text x="%.1f" y="%.1f" text-anchor="middle">%.3g</text>`+"\n", px, py, px, py-6, s.of(r))
		fmt.Fprintf(b, `<text x="%.1f" y="%.0f" text-anchor="middle">%d</text>`+"\n", px, y+marginY+height+14, r.pods)
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="#0a6"/>`+"\n", strings.Join(points, " "))
}
