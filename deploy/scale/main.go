// Command scale measures how large a cluster one machine carries: a control plane
// with durable writes in one process, simulated nodes in another.
//
//	go run ./deploy/scale [-sizes 1000x100,…] [-list 100000] [-churn 10000x1000] [-curve 1000x100,… -plot FILE.svg] [-restart] [-write docs/benchmarks.md] [-profiles DIR]
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
	"errors"
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
	memlimit string // GOMEMLIMIT of the processes, as -memlimit has it; "" is none
	rest     time.Duration
	idle     time.Duration // how long the nodes are measured while nothing happens; 0: not
	singles  int
	progress time.Duration // how often is told how far the run is; 0: not
	disk     int64         // MiB that a cluster may have on disk; 0: any
	memory   int64         // MiB of memory that all its processes may have; 0: any
	patience time.Duration // at least, for a phase
	stay     bool          // pods are not ended
	restart  bool          // the control plane is killed and started again; pods are not ended either
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

// task is what a run is asked for, and what came of it so far.
type task struct {
	options
	binary, sizes, churn, page string
	list, rate                 int
	lasts                      time.Duration
	curve, plot, curveLimit    string
	curveDisk, curveMemory     int64

	rows   []row
	points []result // of the curve
}

// ask reads the command line.
func ask() *task {
	t := &task{}
	flag.StringVar(&t.binary, "binary", "bin/skerry", "the binary to measure")
	flag.StringVar(&t.sizes, "sizes", "1000x100,5000x500,10000x1000", "pods x nodes, separated by commas; \"\" for none")
	flag.StringVar(&t.curve, "curve", "", "more sizes, after all else, whose pods stay and whose control plane, up to 200,000 pods, is killed and started again with them")
	flag.StringVar(&t.plot, "plot", "", "file for a plot of the curve")
	flag.StringVar(&t.curveLimit, "curve-memlimit", "", "-memlimit for the curve")
	flag.Int64Var(&t.curveDisk, "curve-disk", 20<<10, "-disk for the curve")
	flag.Int64Var(&t.curveMemory, "curve-memory", 12<<10, "-memory for the curve")
	flag.StringVar(&t.churn, "churn", "", "pods x nodes whose pods are replaced, after the sizes")
	flag.IntVar(&t.list, "list", 0, "how many pods, which no node runs, are made and listed, after the sizes")
	flag.IntVar(&t.rate, "rate", 500, "how many pods are replaced a second")
	flag.DurationVar(&t.lasts, "for", 10*time.Minute, "how long pods are replaced")
	flag.StringVar(&t.page, "write", "", "the page whose table is replaced")
	flag.StringVar(&t.profiles, "profiles", "", "folder for profiles")
	flag.IntVar(&t.seconds, "seconds", 5, "length of processor profiles")
	flag.StringVar(&t.level, "log-level", "error", "of the processes")
	flag.StringVar(&t.memlimit, "memlimit", "", "GOMEMLIMIT of the processes, or CONTROL,NODES: of the control plane and of each process of nodes")
	flag.DurationVar(&t.rest, "rest", 2*time.Second, "pause between what is measured")
	flag.DurationVar(&t.idle, "idle", 30*time.Second, "how long the nodes are measured while nothing happens; 0 for not at all")
	flag.IntVar(&t.singles, "singles", 20, "how many single pods are started")
	flag.DurationVar(&t.progress, "progress", 5*time.Second, "how often to tell how far it is; 0 for never")
	flag.Int64Var(&t.disk, "disk", 20<<10, "MiB that a cluster may have on disk before it is ended; 0 for any")
	flag.Int64Var(&t.memory, "memory", 12<<10, "MiB of memory that a cluster's processes may have before it is ended; 0 for any")
	flag.DurationVar(&t.patience, "patience", 2*time.Minute, "how long pods may take at least, of whatever number")
	flag.BoolVar(&t.stay, "stay", false, "do not measure the pods' end")
	flag.BoolVar(&t.restart, "restart", false, "kill bus and control plane when all pods run, up to 200,000, and start them again; with it the pods' end is not measured")
	flag.Parse()
	return t
}

func run(ctx context.Context) error {
	t := ask()
	if t.profiles != "" {
		if err := os.MkdirAll(t.profiles, 0o755); err != nil {
			return err
		}
	}
	failed := t.measure(ctx)
	if len(t.rows) > 0 {
		fmt.Print(render(t.rows)) // of what came before, if it failed
	}
	if len(t.points) > 0 {
		fmt.Print("\n", curveTable(t.points))
	}
	if t.plot != "" && len(t.points) > 0 {
		failed = errors.Join(failed, plot(t.plot, t.points))
	}
	if failed != nil || t.page == "" {
		return failed
	}
	return t.write()
}

// write replaces the tables of the page by those that were measured.
func (t *task) write() error {
	if len(t.rows) > 0 {
		if err := replace(t.page, scaleLines, render(t.rows)); err != nil {
			return err
		}
	}
	if len(t.points) == 0 {
		return nil
	}
	return replace(t.page, curveLines, curveTable(t.points))
}

// measure does all that is asked for, one after the other.
func (t *task) measure(ctx context.Context) error {
	results, err := t.each(ctx, t.sizes, t.options)
	for _, r := range results {
		t.rows = append(t.rows, r.rows()...)
	}
	if err != nil {
		return err
	}
	if t.list > 0 {
		r, err := measureList(ctx, t.binary, t.list, t.options)
		if err != nil {
			return fmt.Errorf("measure listing %d pods: %w", t.list, err)
		}
		t.rows = append(t.rows, r.rows()...)
	}
	if t.churn != "" {
		s, err := parseSize(t.churn)
		if err != nil {
			return err
		}
		t.say("%s, replaced …", s)
		r, err := measureChurn(ctx, t.binary, s, t.rate, t.lasts, t.options)
		if err != nil {
			return fmt.Errorf("measure replacing %s: %w", s, err)
		}
		t.rows = append(t.rows, r.rows()...)
	}
	return t.measureCurve(ctx)
}

// each measures sizes, which are separated by commas. On failure it returns what it has.
func (t *task) each(ctx context.Context, sizes string, o options) (results []result, err error) {
	for _, text := range strings.FieldsFunc(sizes, func(r rune) bool { return r == ',' }) {
		s, err := parseSize(text)
		if err != nil {
			return results, err
		}
		t.say("%s …", s)
		r, err := measureSize(ctx, t.binary, s, o)
		if r.start.took > 0 && r.probe != nil && r.list != nil { // it came that far
			results = append(results, r)
			for _, w := range r.rows() {
				t.say("%s: %s; %s", w.what, w.result, w.more)
			}
		}
		if err != nil {
			return results, fmt.Errorf("measure %s: %w", s, err)
		}
	}
	return results, nil
}

func parseSize(text string) (s size, err error) {
	if _, err = fmt.Sscanf(text, "%dx%d", &s.pods, &s.nodes); err != nil || s.pods < 1 || s.nodes < 1 {
		return s, fmt.Errorf("size %q is not PODSxNODES", text)
	}
	return s, nil
}
