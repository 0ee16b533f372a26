// Package scheduler places pods on nodes and keeps each node's work orders in step
// with what is desired.
//
// It reads the joined state (pods, nodes); it writes assigned.<node>.<ns>.<pod>,
// and assigned._.<ns>.<pod> with the verdict on a pod that fits nowhere. It is
// triggered by every change of a pod or node. What always holds: one leader
// of a name schedules, and the default scheduler's settles what the others decide, so
// that nothing is given away twice; a pod has at most one work order, made or moved in one atomic batch
// that compares and swaps; a work order equals the desired pod plus its node, so
// that the agent needs nothing else; nobody decides about a pod while a write about it is
// under way. The decision itself is in place, and pure.
package scheduler
