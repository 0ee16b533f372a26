// Command bench measures Skerry on this machine, on real Podman and with durable
// writes, and prints a Markdown table.
//
//	go run ./deploy/bench [-only start,heal,…] [-quick] [-idle 5m] [-write docs/benchmarks.md]
//
// It reads bin/skerry and writes under one temporary directory, and to the given page
// between two markers. What always holds: it has a Podman root, a network namespace, data
// folders and a configuration of its own and removes them all, also after an error; and
// what is put in a ratio was measured in turns, in the same run, on the same Podman.
package main
