// Package registry does the verbs of the Kubernetes API on stored objects: create,
// get, list, update, patch, delete, deletecollection and the subresources.
//
// It reads the joined state and writes desired objects, revisions and events; status
// goes to the controller and bindings to the scheduler, whose prefixes those are.
// What always holds: a write is a compare-and-swap on what it was computed from; an
// answer that did not come from a write rests on a copy that was made fresh for it;
// dry run stores nothing.
package registry
