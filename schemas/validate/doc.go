// Package validate holds Kubernetes' rules for each kind: what a new object must
// look like, and what an update may change. Pure: no I/O, no clock, no bus.
//
// It reads objects whose defaults are filled in already (package defaults) and
// returns every fault at once, each with its field path, type and a detail that
// says what to do, in the terms that Kubernetes users know. A path names the field
// that is at fault, so that a manifest's line can be found by it.
//
// What always holds: a validator changes neither object, and does not panic on any
// object that decodes; an object of the wrong Go type is an internal error. Update
// validators check the whole new object as well as the change; as in Kubernetes the
// new object must name a resourceVersion. No fault is reported twice, and the same
// object gives the same list.
package validate
