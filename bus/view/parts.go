package view

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

// Parts are an object's own keys with their revisions, for compare-and-swap by
// the writer of that prefix. A zero Entry means that the key is not there; a write
// of it then names revision 0, which a delete marker does not hinder.
//
// Only what is concluded, and the verdict that a pod fits nowhere, have a Value here. Of a
// pod's work order and what is observed of it the object holds uid, node and status;
// what the order is of, Order tells.
//
// They are what is stored, whether or not the join uses it: parts of an earlier
// object of the name, or of no object, are here too.
type Parts struct {
	Desired, Current store.Entry
	// Assigned and Observed are of pods (and Observed of nodes). Should a pod have
	// several work orders, Assigned is the newest one of the pod's uid. Observed
	// is that of the node it is assigned to.
	Assigned, Observed store.Entry
	Order              Digest // of Assigned's value
	// Objects are those of the same parts that somebody asks for, decoded, shared: do not
	// change them. Nil for a part that is not there or cannot be decoded.
	Objects struct{ Desired, Assigned schemas.Object }
}

// Parts returns the keys that make up the object, with their revisions.
func (v *View) Parts(ref schemas.Ref) Parts {
	v.mu.RLock()
	defer v.mu.RUnlock()
	o := v.find(ref)
	if o == nil {
		return Parts{}
	}
	use := o.stored()
	p := use.parts()
	p.Objects.Desired, p.Objects.Assigned = o.wanted(nil), use.assigned.object()
	return p
}

// Entries returns Parts without Objects: those of a pod are made for whoever asks, and take
// some kilobytes.
func (v *View) Entries(ref schemas.Ref) Parts {
	v.mu.RLock()
	defer v.mu.RUnlock()
	o := v.find(ref)
	if o == nil {
		return Parts{}
	}
	return o.stored().parts()
}

// stored are the parts that are there, whether or not the join uses them.
func (o *object) stored() chosen {
	use := o.choose()
	if use.observed == nil { // nobody's: still its writer's to clean up
		use.observed = newest(o.observed, "")
	}
	if use.assigned == nil {
		use.assigned = newest(o.assigned, "")
	}
	return use
}

func (c chosen) parts() Parts {
	p := Parts{Desired: c.desired.entry(), Current: c.current.entry(), Assigned: c.assigned.entry(), Observed: c.observed.entry()}
	if c.assigned != nil {
		p.Order = c.assigned.digest
	}
	return p
}

// Orphan is a key that belongs to no object: there is no desired object of its
// name, or it has another uid.
type Orphan struct {
	Ref      schemas.Ref
	Key      bus.Key
	Prefix   string           // assigned, observed or current: whose it is to remove
	Node     schemas.NodeName // of assigned and observed keys
	UID      types.UID        // that the part names
	Revision store.Revision   // for the delete
}

// Orphans returns the keys under prefixes (none: all) whose writers should remove them,
// sorted by key. No handler is told when one appears. It costs what it returns: while
// many pods end at once, all of them are orphans for a moment, and only of their own
// writers does that ask something.
func (v *View) Orphans(prefixes ...string) []Orphan {
	if len(prefixes) == 0 {
		prefixes = dependent
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	var out []Orphan
	for _, prefix := range prefixes {
		for o := range v.index.orphans[prefix] {
			for p := range o.orphans() {
				if p.prefix() == prefix {
					out = append(out, Orphan{Ref: o.ref(), Key: p.key, Prefix: prefix, Node: p.node, UID: p.uid, Revision: p.rev})
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b Orphan) int { return strings.Compare(string(a.Key), string(b.Key)) })
	return out
}
