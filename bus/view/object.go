package view

import (
	"iter"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/join"
)

// part is one stored key of an object, decoded once.
type part struct {
	entry store.Entry
	node  schemas.NodeName
	self  bool // the node's own status
	// obj is the value. If the newest value could not be decoded it is the last one
	// that could, or nil: a value that this version does not understand must not
	// look like a deletion.
	obj schemas.Object
}

func (p *part) read() (store.Entry, schemas.Object) {
	if p == nil {
		return store.Entry{}, nil
	}
	return p.entry, p.obj
}

func (p *part) uid() types.UID {
	if p == nil || p.obj == nil {
		return ""
	}
	return p.obj.GetUID()
}

// object is all that is stored under one name. Without a decoded desired part it is
// a ghost: joined is nil and nobody is told of it.
type object struct {
	desired, current   *part
	assigned, observed []*part // one, but for moments and mistakes

	joined schemas.Object
	used   chosen
	rev    store.Revision // joined's resourceVersion
}

// chosen are the parts that the join is made of.
type chosen struct {
	desired, current, assigned, observed *part
}

// set puts p (nil: nothing) in the place of its key's part.
func (o *object) set(k bus.StateKey, p *part) {
	switch k.Prefix {
	case bus.PrefixDesired:
		o.desired = p
	case bus.PrefixCurrent:
		o.current = p
	case bus.PrefixAssigned:
		o.assigned = setNode(o.assigned, k.Node, p)
	case bus.PrefixObserved:
		o.observed = setNode(o.observed, k.Node, p)
	}
}

// put takes in k's new entry, decoded (nil if it could not be).
func (o *object) put(k bus.StateKey, e store.Entry, obj schemas.Object) {
	last := o.get(k)
	if e.Deleted {
		o.set(k, nil)
		return
	}
	p := &part{entry: e, node: k.Node, self: k.Ref.Resource == schemas.Nodes, obj: obj}
	if k.Prefix == bus.PrefixObserved && obj != nil {
		p.entry.Value = nil // nobody here writes it: its text would only take memory
	}
	if last != nil && obj == nil {
		p.obj = last.obj
	}
	if last != nil && e.Revision < last.entry.Revision {
		o.rev = 0 // the bucket was made anew, and its revisions with it
	}
	o.set(k, p)
}

func (o *object) get(k bus.StateKey) *part {
	onNode := func(ps []*part) *part {
		if i := slices.IndexFunc(ps, func(p *part) bool { return p.node == k.Node }); i >= 0 {
			return ps[i]
		}
		return nil
	}
	switch k.Prefix {
	case bus.PrefixDesired:
		return o.desired
	case bus.PrefixCurrent:
		return o.current
	case bus.PrefixAssigned:
		return onNode(o.assigned)
	}
	return onNode(o.observed)
}

func setNode(ps []*part, node schemas.NodeName, p *part) []*part {
	ps = slices.DeleteFunc(ps, func(q *part) bool { return q.node == node })
	if p != nil {
		ps = append(ps, p)
	}
	return ps
}

func (o *object) empty() bool {
	return o.desired == nil && o.current == nil && len(o.assigned) == 0 && len(o.observed) == 0
}

// uid is that of the desired object, if there is one.
func (o *object) uid() (types.UID, bool) {
	if o.desired == nil {
		return "", false
	}
	if o.desired.obj == nil {
		return "", true
	}
	return o.desired.obj.GetUID(), true
}

// dependents are the parts that make no sense without desired.
func (o *object) dependents() iter.Seq[*part] {
	return func(yield func(*part) bool) {
		for _, ps := range [][]*part{{o.current}, o.assigned, o.observed} {
			for _, p := range ps {
				if p != nil && !yield(p) {
					return
				}
			}
		}
	}
}

// orphaned tells whether a part belongs to no desired object. While desired is there
// but cannot be read nothing is.
func (o *object) orphaned() bool {
	uid, wanted := o.uid()
	if wanted && o.desired.obj == nil {
		return false
	}
	for p := range o.dependents() {
		if !wanted || p.uid() != uid {
			return true
		}
	}
	return false
}

// newest returns the part with the highest revision among those of uid ("" any).
func newest(ps []*part, uid types.UID) *part {
	var best *part
	for _, p := range ps {
		if (uid == "" || p.uid() == uid) && (best == nil || p.entry.Revision > best.entry.Revision) {
			best = p
		}
	}
	return best
}

// choose picks the parts that count: of several work orders the newest, and what is
// observed only from the node that has the work order (or is the node itself).
func (o *object) choose() chosen {
	c := chosen{desired: o.desired, current: o.current}
	uid, _ := o.uid()
	c.assigned = newest(o.assigned, uid)
	for _, p := range o.observed {
		if c.assigned != nil && p.node == c.assigned.node || p.self {
			c.observed = p
		}
	}
	return c
}

// rejoin makes joined anew if its parts changed at revision at, and returns what
// happened. The resourceVersion never goes back: taking a part away counts too.
func (o *object) rejoin(kind *schemas.Kind, ref schemas.Ref, at store.Revision) []Change {
	old, was := o.joined, o.used
	if o.desired == nil || o.desired.obj == nil {
		if old == nil {
			return nil
		}
		o.joined, o.used, o.rev = nil, chosen{}, 0
		return []Change{{Type: Deleted, Ref: ref, Object: old, Old: old, Revision: at}}
	}
	now := o.choose().of(o.desired.obj.GetUID())
	if old != nil && now == was {
		return nil
	}
	var changes []Change
	if old != nil && old.GetUID() != o.desired.obj.GetUID() {
		changes = append(changes, Change{Type: Deleted, Ref: ref, Object: old, Old: old, Revision: at})
		old = nil
	}
	if old == nil {
		o.rev = now.revision()
	} else {
		o.rev = max(o.rev, now.revision(), at)
	}
	o.used = now
	o.joined = join.Join(kind, now.desired.obj, decoded(now.assigned), decoded(now.observed), decoded(now.current))
	o.joined.SetResourceVersion(strconv.FormatUint(uint64(o.rev), 10))
	c := Change{Type: Added, Ref: ref, Object: o.joined, Old: old, Revision: at}
	if old != nil {
		c.Type = Modified
	}
	return append(changes, c)
}

func decoded(p *part) schemas.Object {
	if p == nil {
		return nil
	}
	return p.obj
}

// of leaves out the parts of another object than uid's.
func (c chosen) of(uid types.UID) chosen {
	for _, p := range []**part{&c.current, &c.assigned, &c.observed} {
		if *p != nil && ((*p).obj == nil || (*p).uid() != uid) {
			*p = nil
		}
	}
	return c
}

func (c chosen) revision() store.Revision {
	var rev store.Revision
	for _, p := range []*part{c.desired, c.current, c.assigned, c.observed} {
		if p != nil {
			rev = max(rev, p.entry.Revision)
		}
	}
	return rev
}
