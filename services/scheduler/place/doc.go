// Package place decides where a pod runs: filter, score, explain.
//
// It is pure: a Cluster in memory and a pod in, a node or the reasons against
// every node out; no I/O, no clock, no randomness. What always holds: a placement
// breaks no hard constraint and exceeds no node's allocatable resources, and the
// same cluster and pod give the same answer.
//
// Filters and reasons are those of Kubernetes' scheduler plugins NodeUnschedulable,
// TaintToleration, NodeAffinity, NodePorts and NodeResourcesFit.
package place
