// Package accesstest is a cluster in memory for tests of who may do what.
//
// It reads and writes nothing but itself. What always holds: what was put is there.
package accesstest

import "github.com/skerry/skerry/schemas"

// State is objects by their names.
type State map[schemas.Ref]schemas.Object

// Get returns one object.
func (s State) Get(ref schemas.Ref) (schemas.Object, bool) { o, ok := s[ref]; return o, ok }

// List returns the objects of a namespace, "" for all.
func (s State) List(r schemas.Resource, ns schemas.Namespace) (out []schemas.Object) {
	for ref, o := range s {
		if ref.Resource == r && (ns == "" || ns == ref.Namespace) {
			out = append(out, o)
		}
	}
	return out
}

// Put adds objects.
func (s State) Put(r schemas.Resource, objs ...schemas.Object) {
	for _, o := range objs {
		s[schemas.RefOf(r, o)] = o
	}
}
