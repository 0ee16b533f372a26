// Package e2e breaks a whole cluster on real Podman hosts, every service a process
// of its own, and looks whether what was asked for still comes true.
//
// It needs root, Podman and bin/skerry (`go tool task test` provides all three). It
// has tests only.
package e2e
