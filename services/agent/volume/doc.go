//go:build linux

// Package volume makes the volumes of a node's pods and keeps their files up to date.
//
// Reads: pods, the ConfigMaps, Secrets and trust bundles that they refer to, tokens from the apiserver.
// Writes: pods/<uid> and memory/<uid> under the agent's data directory (the latter is one
// tmpfs for what is secret), the tmpfs mounts of emptyDirs in memory, binds of sub-paths, the
// mounts of NFS, the directories and files that a hostPath asks for, events.
// What always holds: a path that a container can change is opened by the kernel beneath its
// volume, never by name from outside; readers of a ConfigMap's files see all of one version or all of
// another; what a pod's directory holds is removed without crossing a mount; and a volume
// that is there stays as it is while the bus is away.
package volume
