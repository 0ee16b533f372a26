package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// row is one line of the table.
type row struct {
	what, result, spread string
	aim                  string // "" if there is none
	met                  bool
}

// reference is a row without an aim: what others are measured against, or consist of.
func reference(what, result, spread string) row {
	return row{what: what, result: result, spread: spread}
}

// The table of a page stands between these two lines.
const (
	begin = "<!-- bench: begin -->"
	end   = "<!-- bench: end -->"
)

// render makes the Markdown table.
func render(rows []row) string {
	var b strings.Builder
	b.WriteString("| What | Result | Spread | Aim | Met |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range rows {
		met := "no"
		switch {
		case r.aim == "":
			met = ""
		case r.met:
			met = "yes"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.what, r.result, r.spread, r.aim, met)
	}
	return b.String()
}

// about says what the figures were taken on.
func about() string {
	podman, err := exec.Command("podman", "version", "--format", "{{.Client.Version}}").Output()
	if err != nil {
		podman = []byte("unknown")
	}
	return fmt.Sprintf("%d cores, %d GiB memory, Linux %s, Podman %s, %s.\n", runtime.NumCPU(), memory()>>20, kernel(),
		strings.TrimSpace(string(podman)), strings.Replace(runtime.Version(), "go", "Go ", 1))
}

// kernel is the release without what its builder added.
func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "of an unknown version"
	}
	release, _, _ := strings.Cut(strings.TrimSpace(string(b)), "-")
	return release
}

// memory is the machine's, in KiB, rounded to whole GiB.
func memory() int {
	kib, err := field("/proc/meminfo", "MemTotal")
	if err != nil {
		return 0
	}
	return (kib + 1<<19) &^ (1<<20 - 1)
}

// replace puts table between the page's markers.
func replace(path, table string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	out, err := splice(string(page), table)
	if err != nil {
		return fmt.Errorf("write table to %s: %w", path, err)
	}
	if err := os.WriteFile(path, []byte(out), 0o644); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// splice returns the page with table between its markers.
func splice(page, table string) (string, error) {
	before, rest, ok := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", errors.New("it lacks the markers " + begin + " and " + end)
	}
	return before + begin + "\n\n" + strings.TrimSpace(table) + "\n\n" + end + after, nil
}
