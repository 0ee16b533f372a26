// Package removal decides what a delete does to an object: remove it, or mark it and
// wait for a grace period or for finalizers. Pure.
//
// What always holds: an object with finalizers is never removed; a grace period once
// set is only ever shortened. The garbage collector and the agents do what the marks ask.
package removal
