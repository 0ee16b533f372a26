package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// row is one line of the table.
type row struct {
	what, result, more string
	aim                string // "" if there is none
	met                bool
}

// lines are the two lines of a page between which a table stands.
type lines struct{ begin, end string }

var scaleLines = lines{"<!-- scale: begin -->", "<!-- scale: end -->"}

// machine tells on what was measured.
func machine() string {
	return fmt.Sprintf("%d cores, Linux %s, %s. Load average at the end %s.\n\n", runtime.NumCPU(), kernel(),
		strings.Replace(runtime.Version(), "go", "Go ", 1), load())
}

func render(rows []row) string {
	var b strings.Builder
	b.WriteString(machine())
	b.WriteString("| What | Result | Cost | Aim | Met |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range rows {
		met := ""
		switch {
		case r.aim != "" && r.met:
			met = "yes"
		case r.aim != "":
			met = "no"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.what, r.result, r.more, r.aim, met)
	}
	return b.String()
}

func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "of an unknown version"
	}
	release, _, _ := strings.Cut(strings.TrimSpace(string(b)), "-")
	return release
}

func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}

// replace puts table between the page's two lines.
func replace(path string, between lines, table string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	before, tail, ok := strings.Cut(string(page), between.begin)
	_, after, closed := strings.Cut(tail, between.end)
	if !ok || !closed {
		return fmt.Errorf("write table to %s: it lacks the lines %s and %s", path, between.begin, between.end)
	}
	out := before + between.begin + "\n\n" + strings.TrimSpace(table) + "\n\n" + between.end + after
	if err := os.WriteFile(path, []byte(out), 0o644); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

func mib(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

// show prints a duration with three digits or so.
func show(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	}
	return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
}

// perThousand is how many CPU-seconds u is for a thousand of the pods.
func (r result) perThousand(u usage) float64 { return u.cpu.Seconds() * 1000 / float64(r.pods) }

func (r result) rows() []row {
	cost := func(p phase) string {
		return fmt.Sprintf("bus and control plane %.2f CPU-s per 1,000 pods, %s (peak %s); simulated nodes %.2f CPU-s, %s", r.perThousand(p.control),
			mib(p.control.rss), mib(p.control.peak), p.nodes.cpu.Seconds(), mib(p.nodes.rss))
	}
	rows := []row{{
		what:   fmt.Sprintf("%s: to all Running", r.size),
		result: fmt.Sprintf("%s, %.0f pods/s", show(r.start.took), r.start.rate(r.pods)), more: cost(r.start),
		aim: "3,000 pods/s, < 0.5 CPU-s per 1,000", met: r.start.rate(r.pods) >= 3000 && r.perThousand(r.start.control) < 0.5,
	}, {
		what:   "— API during that",
		result: fmt.Sprintf("get p50 %s, p99 %s; from a write's reply to a watcher p50 %s, p99 %s", show(r.probe.gets.quantile(0.5)), show(r.probe.gets.quantile(0.99)), show(r.probe.news.quantile(0.5)), show(r.probe.news.quantile(0.99))),
	}, {
		what:   "— the nodes' registration before",
		result: show(r.made.took), more: fmt.Sprintf("bus and control plane %.2f CPU-s, %s; simulated nodes %.2f CPU-s, %s", r.made.control.cpu.Seconds(), mib(r.made.control.rss), r.made.nodes.cpu.Seconds(), mib(r.made.nodes.rss)),
	}}
	if r.idle.took > 0 {
		share := func(u usage) float64 { return 100 * u.cpu.Seconds() / r.idle.took.Seconds() }
		rows = append(rows, row{
			what:   "— the nodes while nothing happens",
			result: fmt.Sprintf("of one core, bus and control plane %.1f %%, simulated nodes %.1f %%", share(r.idle.control), share(r.idle.nodes)),
			more:   "over " + show(r.idle.took),
		})
	}
	if r.stop.took > 0 {
		rows = slices.Insert(rows, 2, row{
			what:   "— to the last one's end",
			result: fmt.Sprintf("%s, %.0f pods/s", show(r.stop.took), r.stop.rate(r.pods)), more: cost(r.stop),
		})
	}
	if n := len(r.single); n > 0 {
		slices.Sort(r.single)
		rows = append(rows, row{
			what: "— one pod, with nothing else to do", result: fmt.Sprintf("median %s (%s to %s)", show(r.single[n/2]), show(r.single[0]), show(r.single[n-1])),
			aim: "5 ms", met: r.single[n/2] <= 5*time.Millisecond,
		})
	}
	rows = append(rows, r.memoryRows()...)
	if r.list != nil {
		rows = append(rows, row{
			what: "— `skerry get pods -A`", result: r.list.String(), more: r.list.cost(), aim: r.list.aim(), met: r.list.meets(),
		})
	}
	if r.again != nil {
		rows = append(rows, r.again.row())
	}
	return rows
}
