//go:build !linux

package main

import "github.com/skerry/skerry/cli/configure"

// hostCommands run services, which needs a Linux host.
type hostCommands struct{}

// config is `skerry config`.
type config struct{ configure.Command }
