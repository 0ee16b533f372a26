//go:build !unix

package main

import "github.com/skerry/skerry/cli/configure"

// hostCommands run services, which needs a Unix host.
type hostCommands struct{}

// config is `skerry config`.
type config struct{ configure.Command }
