// Package view keeps a live, joined copy of the state bucket: objects as a client
// sees them, made of their desired, assigned, observed and current keys.
//
// It only reads. What always holds: objects handed out are shared and must not be
// changed (DeepCopy first); an object's resourceVersion is the highest revision of
// its parts; handlers see changes of one object in order.
package view

import (
	"context"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

// ChangeType is what happened to an object.
type ChangeType int

const (
	Added ChangeType = iota
	Modified
	Deleted
)

// Change is one change of a joined object.
type Change struct {
	Type     ChangeType
	Ref      schemas.Ref
	Object   schemas.Object // for Deleted: the last state
	Old      schemas.Object // nil for Added
	Revision store.Revision
}

// Parts are an object's own keys with their revisions, for compare-and-swap by
// the writer of that prefix. A zero Entry means the key is not there (its Revision
// may be that of a delete marker).
type Parts struct {
	Desired, Current store.Entry
	// Assigned and Observed are of pods (and Observed of nodes).
	Assigned, Observed store.Entry
}

// View is the copy. Safe for concurrent use.
type View struct{}

// New returns a view of the kinds in table; nothing is read before Run.
func New(conn *bus.Conn, table *schemas.Table) *View { panic("skeleton") }

// Run follows the state until ctx ends. It returns only ctx's error.
func (v *View) Run(ctx context.Context) error { panic("skeleton") }

// WaitSynced blocks until the first list is in.
func (v *View) WaitSynced(ctx context.Context) error { panic("skeleton") }

// WaitFor blocks until the view reflects rev (a write of one's own, or store.Last).
func (v *View) WaitFor(ctx context.Context, rev store.Revision) error { panic("skeleton") }

// Revision is the newest revision the view reflects.
func (v *View) Revision() store.Revision { panic("skeleton") }

// Get returns the joined object, shared: do not change it.
func (v *View) Get(ref schemas.Ref) (schemas.Object, bool) { panic("skeleton") }

// List returns the objects of a resource in a namespace ("" for all), sorted by
// namespace and name, shared: do not change them.
func (v *View) List(r schemas.Resource, ns schemas.Namespace) []schemas.Object { panic("skeleton") }

// OwnedBy returns the objects whose controller or other owner reference names uid.
func (v *View) OwnedBy(uid string) []schemas.Ref { panic("skeleton") }

// Parts returns the keys that make up the object, with their revisions.
func (v *View) Parts(ref schemas.Ref) Parts { panic("skeleton") }

// Handle registers f for every change from now on; existing objects come first as
// Added. It is called until the returned cancel is, and WaitFor(rev) does not
// return before f has seen the changes up to rev. f must be quick and must not
// call back into the view's registration.
func (v *View) Handle(f func(Change)) (cancel func()) { panic("skeleton") }
