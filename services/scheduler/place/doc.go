// Package place decides where a pod runs: filter, score, explain, preempt.
//
// It is pure: a Cluster in memory and a pod in, a node or the reasons against
// every node out; no I/O, no clock, no randomness. What always holds: a placement
// breaks no hard constraint and exceeds no node's allocatable resources, and the
// same cluster and pod give the same answer, in whatever order the cluster was told.
//
// Filters, scores, weights and reasons are those of Kubernetes' scheduler plugins
// NodeUnschedulable, NodeName, TaintToleration, NodeAffinity, NodePorts,
// NodeResourcesFit, NodeResourcesBalancedAllocation, ImageLocality, PodTopologySpread,
// InterPodAffinity and DefaultPreemption. Pods that ask for the same are of one class;
// what a class knows of each node is kept, and brought up to date from a log of what
// changed, so that a pod costs a scan of flat arrays and not of objects.
package place
