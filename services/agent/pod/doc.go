// Package pod keeps the pods of one node as their work orders say: the per-pod
// reconciler, and the pure planner that it follows.
//
// Reads: work orders, the runtime's sandboxes, and its own memory of back-offs and
// last statuses. Writes: sandboxes and containers through Runtime, statuses and
// the final delete through Reporter, events, and the kept copy of each order.
// Triggered by: a changed order, the runtime's events, a finished pull or stop, a
// periodic look at everything, and the time that a plan names.
// Invariant: one worker per pod; what is made has a name made of what it is for, so
// making it twice makes it once; nothing is removed for lack of an order before the
// bus has listed the orders; a container that matches its order is never touched.
package pod
