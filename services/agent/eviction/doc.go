// Package eviction ends pods before the node runs out of memory, disk or processes, and
// pods that use more of its disk than they may: the kubelet's rules.
//
// Reads: the kernel's figures of the host and of containers, file systems, logs,
// containers' writable layers and emptyDirs. Writes: evictions, the node's pressure
// conditions and events. What always holds: plans are pure; one pod is ended at a time,
// and what it frees is awaited before the next; a pod without which the node cannot do is
// spared; a signal that cannot be measured ends nobody; and disks are walked no more than
// a small part of the time.
//
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
package eviction
