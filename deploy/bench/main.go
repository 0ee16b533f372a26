package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench is one run: where it runs and how long it takes.
type bench struct {
	*machine
	single, many  int // rounds of starting 1 and 40 pods
	heals, colds  int
	changes       int // of a ConfigMap
	idle, writing time.Duration
	full100       time.Duration // how long an agent with 100 pods is watched
	idlers        int           // idle watches
}

// part is one part of a run.
type part struct {
	name string
	run  func(*bench, context.Context) ([]row, error)
}

// The parts, the quiet ones first: what the others leave in caches is no idle state.
var parts = []part{
	{"size", (*bench).size},
	{"cold", (*bench).cold},
	{"idle", (*bench).idling},
	{"start", (*bench).start},
	{"play", (*bench).play},
	{"full", (*bench).full},
	{"heal", (*bench).heal},
	{"volume", (*bench).volume},
	{"write", (*bench).write},
	{"api", (*bench).doors},
}

// extras run only if they are asked for by name.
var extras = []part{
	{"watches", (*bench).watches},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	binary := flag.String("binary", "bin/skerry", "the binary to measure")
	only := flag.String("only", "", "the parts to run, separated by commas: "+strings.Join(names(), ", "))
	page := flag.String("write", "", "the page whose table is replaced; needs a whole run")
	quick := flag.Bool("quick", false, "few and short rounds, to see that it works")
	idle := flag.Duration("idle", 5*time.Minute, "how long the idle cluster is watched")
	idlers := flag.Int("watches", 100_000, "how many idle watches the part watches opens")
	flag.Parse()
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	if *page != "" && (*quick || len(chosen) != len(parts)) {
		return errors.New("-write needs a whole run, without -only and -quick")
	}
	if os.Geteuid() != 0 {
		return errors.New("a network namespace and a Podman of its own need root: run it with sudo")
	}
	b := &bench{single: 5, many: 3, heals: 10, colds: 5, changes: 20, idle: *idle, writing: 10 * time.Second, full100: time.Minute, idlers: *idlers}
	if *quick {
		b.single, b.many, b.heals, b.colds, b.changes, b.idle, b.writing = 2, 1, 3, 2, 5, 20*time.Second, 2*time.Second
		b.full100 = 20 * time.Second
	}
	table, err := b.measure(ctx, *binary, chosen)
	fmt.Print(table)
	if err != nil || *page == "" {
		return err
	}
	return replace(*page, table)
}

// measure runs the chosen parts and returns the table of those that succeeded.
func (b *bench) measure(ctx context.Context, binary string, chosen []part) (table string, err error) {
	if b.machine, err = prepare(ctx, binary); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, b.remove()) }()
	var rows []row
	for _, p := range chosen {
		fmt.Fprintf(os.Stderr, "%s …\n", p.name)
		got, err := p.run(b, ctx)
		if err != nil {
			return render(rows), fmt.Errorf("measure %s: %w", p.name, err)
		}
		rows = append(rows, got...)
	}
	return about() + "\n" + render(rows), nil
}

func names() []string {
	var out []string
	for _, p := range slices.Concat(parts, extras) {
		out = append(out, p.name)
	}
	return out
}

func choose(only string) ([]part, error) {
	if only == "" {
		return parts, nil
	}
	want := strings.Split(only, ",")
	for _, w := range want {
		if !slices.Contains(names(), w) {
			return nil, fmt.Errorf("there is no part %q; there are %s", w, strings.Join(names(), ", "))
		}
	}
	var out []part
	for _, p := range slices.Concat(parts, extras) {
		if slices.Contains(want, p.name) {
			out = append(out, p)
		}
	}
	return out, nil
}
