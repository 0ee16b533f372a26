// Package lease elects leaders and tells which nodes live.
//
// It reads and writes leader.<service> in the bucket leases, whose TTL the server enforces;
// the bucket is in memory, so a restart of the server ends every lease. A heartbeat is a plain
// message on heartbeat.<node>, which nothing keeps.
//
// What always holds: at most one holder believes in a lease that the server
// still has; a holder that could not renew in time is told before the lease can
// be another's (its context is cancelled). No node is lost to an observer that does not
// reach the bus, or did not run. Nothing of this rests on clocks that agree,
// only on clocks that run at about the same speed.
package lease
