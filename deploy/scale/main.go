// Command scale measures how large a cluster one machine carries: a control plane
// with durable writes in one process, simulated nodes in another.
//
//	go run ./deploy/scale [-sizes 1000x100,5000x500,10000x1000] [-profiles DIR]
//
// It reads bin/skerry and writes under a temporary directory. What always holds: what
// it starts it stops and removes; processor time and memory are the kernel's counts of
// each process.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are a run's.
type options struct {
	profiles string // folder; "" makes none
	seconds  int    // of each profile
	level    string // of logs
	memlimit string // GOMEMLIMIT of the processes; "" is none
	rest     time.Duration
	singles  int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var o options
	binary := flag.String("binary", "bin/skerry", "the binary to measure")
	sizes := flag.String("sizes", "1000x100,5000x500,10000x1000", "pods x nodes, separated by commas")
	flag.StringVar(&o.profiles, "profiles", "", "folder for profiles")
	flag.IntVar(&o.seconds, "seconds", 5, "length of processor profiles")
	flag.StringVar(&o.level, "log-level", "error", "of the processes")
	flag.StringVar(&o.memlimit, "memlimit", "", "GOMEMLIMIT of the processes")
	flag.DurationVar(&o.rest, "rest", 2*time.Second, "pause between what is measured")
	flag.IntVar(&o.singles, "singles", 20, "how many single pods are started")
	flag.Parse()
	if o.profiles != "" {
		if err := os.MkdirAll(o.profiles, 0o755); err != nil {
			return err
		}
	}
	var results []result
	for _, text := range strings.Split(*sizes, ",") {
		var s size
		if _, err := fmt.Sscanf(text, "%dx%d", &s.pods, &s.nodes); err != nil {
			return fmt.Errorf("size %q: %w", text, err)
		}
		fmt.Fprintf(os.Stderr, "%s …\n", s)
		r, err := measureSize(ctx, *binary, s, o)
		if err != nil {
			return fmt.Errorf("measure %s: %w", s, err)
		}
		r.print()
		results = append(results, r)
	}
	return nil
}

func (r result) print() {
	mib := func(n int64) int64 { return n >> 20 }
	fmt.Printf("%s\n  nodes ready %.1fs, control %.2fs cpu %d MiB, nodes %.2fs cpu %d MiB\n", r.size, r.made.took.Seconds(),
		r.made.control.cpu.Seconds(), mib(r.made.control.rss), r.made.nodes.cpu.Seconds(), mib(r.made.nodes.rss))
	if n := len(r.single); n > 0 {
		slices.Sort(r.single)
		fmt.Printf("  single pod median %s, min %s, max %s\n", r.single[n/2], r.single[0], r.single[n-1])
	}
	for _, p := range []struct {
		name string
		phase
	}{{"up", r.start}, {"down", r.stop}} {
		fmt.Printf("  %-4s %.2fs %.0f pods/s; control %.2fs cpu (%.3f per 1000), %d MiB peak %d; nodes %.2fs cpu, %d MiB\n", p.name, p.took.Seconds(), p.rate(r.pods),
			p.control.cpu.Seconds(), p.control.cpu.Seconds()*1000/float64(r.pods), mib(p.control.rss), mib(p.control.peak), p.nodes.cpu.Seconds(), mib(p.nodes.rss))
	}
	fmt.Printf("  first pod after %s\n", r.first)
}
