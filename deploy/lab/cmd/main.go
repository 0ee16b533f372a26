// Command lab starts and removes a lab of three Podman hosts on this machine.
//
//	go run ./deploy/lab/cmd up|down|status [DIR]
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/skerry/skerry/deploy/lab"
)

// standard is short because the path of a Unix socket may have 107 bytes only.
const standard = "/var/tmp/skerry-lab"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	dir := standard
	switch len(args) {
	case 1:
	case 2:
		dir = args[1]
	default:
		return errors.New("usage: lab up|down|status [DIR]")
	}
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root: run it with sudo")
	}
	switch args[0] {
	case "up":
		return up(dir)
	case "down":
		return down(dir)
	case "status":
		l, err := lab.Open(dir)
		if err != nil {
			return err
		}
		for _, line := range l.Status() {
			fmt.Println(line)
		}
		return nil
	}
	return fmt.Errorf("unknown command %q: up, down or status", args[0])
}

func up(dir string) error {
	if _, err := lab.Open(dir); err == nil {
		fmt.Println("The lab is there already; `go tool task lab:down` removes it.")
		return nil
	}
	binary, err := filepath.Abs("bin/skerry")
	if err != nil {
		return err
	}
	l, err := lab.Start(context.Background(), lab.Options{Name: "lab", Subnet: 0, Dir: dir, Binary: binary, Hosts: 3})
	if err != nil {
		return err
	}
	if err := l.BuildHello(); err != nil {
		return errors.Join(err, l.Stop())
	}
	fmt.Printf(`Three hosts run: h1, h2, h3. Every service is a process of its own; logs are in %[1]s/log.

  export SKERRY_CONFIG=%[1]s/config.yaml
  bin/skerry get nodes -o wide
  bin/skerry apply -f deploy/examples/hello --wait
  bin/skerry get pods -o wide

Break something: kill a process of `+"`go run ./deploy/lab/cmd status`"+`, or a container.
Remove it all: go tool task lab:down
`, dir)
	return nil
}

func down(dir string) error {
	l, err := lab.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Println("There is no lab.")
		return nil
	}
	if err != nil {
		return err
	}
	return l.Stop()
}
