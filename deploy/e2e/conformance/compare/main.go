// Command compare runs kubectl commands against two clusters, Kubernetes and Skerry say, and prints
// what they answer differently: output, errors and exit codes, whatever the order of their lines.
//
//	go run ./compare -kubectl KUBECTL [-v] A.kubeconfig B.kubeconfig [FILE]
//
// Its commands are those of FILE, or its own: a txtar archive whose comment has one command in a
// line, without kubectl's name, and whose files are in the working directory. It changes the namespace
// default of both clusters, which are best new ones. What is different each time (times, UIDs, random
// names) does not count. The exit code is 1 if anything differs.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

//go:embed commands.txt
var own string

// patience is how long one command may take.
const patience = 30 * time.Second

func main() {
	kubectl := flag.String("kubectl", "kubectl", "the kubectl to run")
	verbose := flag.Bool("v", false, "print what does not differ, too")
	flag.Parse()
	if flag.NArg() < 2 {
		flag.Usage()
		os.Exit(2)
	}
	differ, err := compare(*kubectl, flag.Arg(0), flag.Arg(1), flag.Arg(2), *verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(2)
	}
	if differ {
		os.Exit(1)
	}
}

func compare(kubectl, a, b, file string, verbose bool) (bool, error) {
	text := own
	if file != "" {
		content, err := os.ReadFile(file)
		if err != nil {
			return false, err
		}
		text = string(content)
	}
	commands, files := parse(text)
	dir, err := os.MkdirTemp("", "compare")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return false, err
		}
	}
	if a, err = filepath.Abs(a); err == nil {
		b, err = filepath.Abs(b)
	}
	if err == nil {
		kubectl, err = exec.LookPath(kubectl)
	}
	if err == nil {
		kubectl, err = filepath.Abs(kubectl) // commands run in a folder of their own
	}
	if err != nil {
		return false, err
	}
	others := 0
	for _, c := range commands {
		one, other := run(kubectl, a, dir, c), run(kubectl, b, dir, c)
		less, more := only(one, other), only(other, one)
		if less == "" && more == "" {
			if verbose {
				fmt.Printf("$ kubectl %s\n%s", c, one)
			}
			continue
		}
		others++
		fmt.Printf("$ kubectl %s\n%s%s", c, marked("- ", less), marked("+ ", more))
	}
	fmt.Printf("%d of %d commands are answered differently\n", others, len(commands))
	return others > 0, nil
}

// parse splits an archive into its commands and its files.
func parse(text string) (commands []string, files map[string]string) {
	files = map[string]string{}
	name := ""
	for line := range strings.Lines(text) {
		if rest, is := strings.CutPrefix(line, "-- "); is {
			name = strings.TrimSuffix(strings.TrimSpace(rest), " --")
			continue
		}
		if name != "" {
			files[name] += line
		} else if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			commands = append(commands, line)
		}
	}
	return commands, files
}

// run is what a command answers: the lines of its output, of its errors, and its exit code.
func run(kubectl, kubeconfig, dir, command string) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, kubectl, append([]string{"--kubeconfig", kubeconfig}, strings.Fields(command)...)...)
	c.Dir, c.Env = dir, append(os.Environ(), "EDITOR=true", "KUBECTL_EXTERNAL_DIFF=true")
	var out, complaints bytes.Buffer
	c.Stdout, c.Stderr = &out, &complaints
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(&complaints, err)
	}
	return marked("  ", same(out.String())) + marked("! ", same(complaints.String())) + fmt.Sprintln("=", c.ProcessState.ExitCode())
}

func marked(mark, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(mark + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}

// varying is what is different each time, and what stands for it.
var varying = []struct {
	is *regexp.Regexp
	as string
}{
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "UID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "TIME"},
	{regexp.MustCompile(`\w{3}, \d\d \w{3} \d{4} [\d:]{8} \+0000`), "TIME"},
	{regexp.MustCompile(`(resourceVersion: "|Resource Version: +)\d+`), "${1}N"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "HOST:PORT"},
	{regexp.MustCompile(`\b(\d+[dhms]){1,2}\b`), "AGE"},
	{regexp.MustCompile(`(kube-api-access-)[a-z0-9]{5}`), "${1}XXXXX"},
	{regexp.MustCompile(`-[a-z0-9]{8,10}-[a-z0-9]{5}\b`), "-HASH-XXXXX"},
	{regexp.MustCompile(`(?m)-[a-z0-9]{9,10}( |$)`), "-HASH$1"},
	{regexp.MustCompile(`\b3[0-2]\d{3}\b`), "NODEPORT"},
	{regexp.MustCompile(`eyJ[\w.-]+`), "TOKEN"},
	{regexp.MustCompile(`(?m)^[EIW]\d{4} .*?\]`), "KLOG"},
	{regexp.MustCompile(` +`), " "},
}

func same(text string) string {
	for _, v := range varying {
		text = v.is.ReplaceAllString(text, v.as)
	}
	return text
}

// only are the lines of a that b has not, whatever their order.
func only(a, b string) string {
	left := map[string]int{}
	for line := range strings.Lines(b) {
		left[line]++
	}
	var out strings.Builder
	for line := range strings.Lines(a) {
		if left[line]--; left[line] < 0 {
			out.WriteString(line)
		}
	}
	return out.String()
}
