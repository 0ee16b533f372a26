//go:build linux

// Package up starts and stops clusters: `skerry up`, `down`, `serve` and `join`.
//
// It writes under the data directory (keys, the bus's data, locks, logs) and puts
// the admin's context into the configuration file. What always holds: one process at a time
// owns a data directory, each service has a connection and credentials of its own,
// and stopping never stops a container.
package up
