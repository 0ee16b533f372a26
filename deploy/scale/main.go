// Command scale measures how large a cluster one machine carries: a control plane
// with durable writes in one process, simulated nodes in another.
//
//	go run ./deploy/scale [-sizes 1000x100,…] [-curve FILE.svg] [-churn 10000x1000] [-write docs/benchmarks.md] [-profiles DIR]
//
// Every few seconds it tells how far it is. A cluster that grows beyond -disk or -memory is ended.
//
// It reads bin/skerry and writes under a temporary directory, and to the given page between
// two markers. What always holds: what it starts it stops and removes, also when it is
// interrupted; if it is killed its processes end and the next run removes its folder; processor time and memory are the kernel's counts of
// each process.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
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
	progress time.Duration // how often is told how far the run is; 0: not
	disk     int64         // MiB that a cluster may have on disk; 0: any
	memory   int64         // MiB of memory that all its processes may have; 0: any
	patience time.Duration // at least, for a phase
	stay     bool          // pods are not ended
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
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
	sizes := flag.String("sizes", "1000x100,5000x500,10000x1000", "pods x nodes, separated by commas; \"\" for none")
	curve := flag.String("curve", "", "file for a plot of the sizes")
	churns := flag.String("churn", "", "pods x nodes whose pods are replaced, after the sizes")
	rate := flag.Int("rate", 500, "how many pods are replaced a second")
	lasts := flag.Duration("for", 10*time.Minute, "how long pods are replaced")
	page := flag.String("write", "", "the page whose table is replaced")
	flag.StringVar(&o.profiles, "profiles", "", "folder for profiles")
	flag.IntVar(&o.seconds, "seconds", 5, "length of processor profiles")
	flag.StringVar(&o.level, "log-level", "error", "of the processes")
	flag.StringVar(&o.memlimit, "memlimit", "", "GOMEMLIMIT of the processes")
	flag.DurationVar(&o.rest, "rest", 2*time.Second, "pause between what is measured")
	flag.IntVar(&o.singles, "singles", 20, "how many single pods are started")
	flag.DurationVar(&o.progress, "progress", 5*time.Second, "how often to tell how far it is; 0 for never")
	flag.Int64Var(&o.disk, "disk", 20<<10, "MiB that a cluster may have on disk before it is ended; 0 for any")
	flag.Int64Var(&o.memory, "memory", 12<<10, "MiB of memory that a cluster's processes may have before it is ended; 0 for any")
	flag.DurationVar(&o.patience, "patience", 2*time.Minute, "how long pods may take at least, of whatever number")
	flag.BoolVar(&o.stay, "stay", false, "do not measure the pods' end")
	flag.Parse()
	if o.profiles != "" {
		if err := os.MkdirAll(o.profiles, 0o755); err != nil {
			return err
		}
	}
	var results []result
	var rows []row
	for _, text := range strings.FieldsFunc(*sizes, func(r rune) bool { return r == ',' }) {
		s, err := parseSize(text)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s …\n", s)
		r, err := measureSize(ctx, *binary, s, o)
		if err != nil {
			return fmt.Errorf("measure %s: %w", s, err)
		}
		results, rows = append(results, r), append(rows, r.rows()...)
		fmt.Fprint(os.Stderr, render(r.rows()))
	}
	if *churns != "" {
		s, err := parseSize(*churns)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s, replaced …\n", s)
		r, err := measureChurn(ctx, *binary, s, *rate, *lasts, o)
		if err != nil {
			return fmt.Errorf("measure replacing %s: %w", s, err)
		}
		rows = append(rows, r.rows()...)
	}
	table := render(rows)
	fmt.Print(table)
	if *curve != "" && len(results) > 0 {
		if err := plot(*curve, results); err != nil {
			return err
		}
	}
	if *page != "" {
		return replace(*page, table)
	}
	return nil
}

func parseSize(text string) (s size, err error) {
	if _, err = fmt.Sscanf(text, "%dx%d", &s.pods, &s.nodes); err != nil || s.pods < 1 || s.nodes < 1 {
		return s, fmt.Errorf("size %q is not PODSxNODES", text)
	}
	return s, nil
}
