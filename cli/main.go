// Package main is the skerry binary: it reads the command line, runs one command and
// turns its error into the exit code.
//
// What always holds: only this package and the packages below it print, exit or
// read the environment, and they do so through session.Env.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/terminal"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, processEnv(), os.Args[1:])
	stop()
	os.Exit(code)
}

// processEnv is this process as commands see it.
func processEnv() session.Env {
	dir, _ := os.Getwd()
	configDir, _ := os.UserConfigDir()
	self, _ := os.Executable()
	return session.Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Dir: dir, ConfigDir: configDir, Executable: self, Args: os.Args[1:], Version: version,
		Terminal: terminal.Of(os.Stdin, os.Stdout),
		Now:      time.Now,
	}
}

// run runs one command line and returns the exit code.
func run(ctx context.Context, env session.Env, args []string) int {
	err := execute(ctx, env, args)
	if m := failure.Message(err); m != "" {
		fmt.Fprintln(env.Stderr, m)
	}
	return failure.Code(err)
}
