// Package lease elects leaders and keeps heartbeats, in the bucket leases.
//
// It reads and writes leader.<service> and node.<node>, whose TTLs the server
// enforces; the bucket is in memory, so a restart of the server ends every lease.
//
// What always holds: at most one holder believes in a lease that the server
// still has; a holder that could not renew in time is told before the lease can
// be another's (its context is cancelled). Neither rests on clocks that agree,
// only on clocks that run at about the same speed.
package lease
