package view

import (
	"iter"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/join"
)

// part is one stored key of an object, decoded once. Of its text only that of what is
// concluded and of verdicts is kept: whoever writes those compares them.
type part struct {
	key  bus.Key
	rev  store.Revision
	text *[]byte // nil: it is not kept
	node schemas.NodeName
	self bool // the node's own status
	// known: the value could be decoded, or an earlier one of the key: a value that this
	// version does not understand must not look like a deletion.
	known bool
	value
}

// value is a decoded part. Of a pod's work order and what is observed of it only what
// makes a difference is kept: the rest is that of the desired pod.
type value struct {
	obj schemas.Object // nil for those
	// uid and nodeName are what the part says. Of a desired pod, nodeName is what it asks
	// for: once it is joined, obj is the joined pod.
	uid      types.UID
	nodeName string
	status   *corev1.PodStatus // nil: nothing; but for its conditions
	// conditions are the part's own: those of the joined pod are others' as well.
	conditions []corev1.PodCondition
	digest     Digest // of a work order
}

func (p *part) entry() store.Entry {
	if p == nil {
		return store.Entry{}
	}
	e := store.Entry{Key: p.key, Revision: p.rev}
	if p.text != nil {
		e.Value = *p.text
	}
	return e
}

// object is the decoded part, shared; nil if it could not be.
func (p *part) object() schemas.Object {
	if p == nil || p.obj != nil {
		return p.in(nil)
	}
	return p.in(&corev1.Pod{})
}

// in is the same; a pod that has to be made for it is made in pod.
func (p *part) in(pod *corev1.Pod) schemas.Object {
	switch {
	case p == nil || !p.known:
		return nil
	case p.obj != nil:
		return p.obj
	}
	*pod = corev1.Pod{}
	pod.UID, pod.Spec.NodeName = p.uid, p.nodeName
	if p.status != nil {
		pod.Status = *p.status
		pod.Status.Conditions = p.conditions
	}
	return pod
}

// prefix is that of the part's key.
func (p *part) prefix() string {
	prefix, _, _ := strings.Cut(string(p.key), ".")
	return prefix
}

// dependent are the prefixes of parts that make no sense without desired.
var dependent = []string{bus.PrefixCurrent, bus.PrefixAssigned, bus.PrefixObserved}

// name is an object's among those of its kind.
type name struct {
	space schemas.Namespace
	name  schemas.Name
}

// ref refers to the object from anywhere.
func (o *object) ref() schemas.Ref {
	return schemas.Ref{Resource: o.kind.Resource, Namespace: o.name.space, Name: o.name.name}
}

// object is all that is stored under one name. Without a decoded desired part it is
// a ghost: joined is nil and nobody is told of it.
type object struct {
	kind               *schemas.Kind
	name               name
	desired, current   *part
	assigned, observed []*part // one, but for moments and mistakes

	joined schemas.Object
	used   chosen
	rev    store.Revision // joined's resourceVersion
}

// wanted is the desired object, shared; nil if there is none that can be read. A pod that
// has to be made for it is made in pod, or, without one, in memory of its own.
func (o *object) wanted(pod *corev1.Pod) schemas.Object {
	d := o.desired.object()
	joined, ok := d.(*corev1.Pod)
	if !ok || d != o.joined {
		return d
	}
	if pod == nil {
		pod = &corev1.Pod{}
	}
	*pod = *joined
	pod.ResourceVersion, pod.Spec.NodeName, pod.Status = "", o.desired.nodeName, corev1.PodStatus{}
	return pod
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
func (o *object) put(k bus.StateKey, e store.Entry, v *value) {
	last := o.get(k)
	if e.Deleted {
		o.set(k, nil)
		return
	}
	p := &part{key: e.Key, rev: e.Revision, node: k.Node, self: k.Ref.Resource == schemas.Nodes}
	switch {
	case v != nil:
		p.known, p.value = true, *v
	case last != nil:
		p.known, p.value = last.known, last.value
	}
	if k.Prefix == bus.PrefixCurrent || k.Prefix == bus.PrefixAssigned && k.Node == "" {
		p.text = &e.Value
	}
	if uid, ok := o.uid(); ok && uid == p.uid {
		p.uid = uid // the same memory
	}
	if last != nil && e.Revision < last.rev {
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
	return o.desired.uid, true
}

// parts are all that there are.
func (o *object) parts() iter.Seq[*part] {
	return func(yield func(*part) bool) {
		if o.desired != nil && !yield(o.desired) {
			return
		}
		o.dependents()(yield)
	}
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

// orphans are the parts that belong to no desired object. While desired is there but
// cannot be read nothing is one.
func (o *object) orphans() iter.Seq[*part] {
	return func(yield func(*part) bool) {
		uid, wanted := o.uid()
		if wanted && !o.desired.known {
			return
		}
		for p := range o.dependents() {
			if (!wanted || p.uid != uid) && !yield(p) {
				return
			}
		}
	}
}

// newest returns the part with the highest revision among those of uid ("" any).
func newest(ps []*part, uid types.UID) *part {
	var best *part
	for _, p := range ps {
		if (uid == "" || p.uid == uid) && (best == nil || p.rev > best.rev) {
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

// rejoin makes o's joined anew if its parts changed at revision at, and returns what
// happened. The resourceVersion never goes back: taking a part away counts too.
func (v *View) rejoin(o *object, at store.Revision) []Change {
	ref, old, was := o.ref(), o.joined, o.used
	if o.desired == nil || !o.desired.known {
		if old == nil {
			return nil
		}
		o.joined, o.used, o.rev = nil, chosen{}, 0
		return []Change{{Type: Deleted, Ref: ref, Object: old, Old: old, Revision: at}}
	}
	now := o.choose().of(o.desired.uid)
	if old != nil && now == was {
		return nil
	}
	var changes []Change
	if old != nil && old.GetUID() != o.desired.uid {
		changes = append(changes, Change{Type: Deleted, Ref: ref, Object: old, Old: old, Revision: at})
		old = nil
	}
	if old == nil {
		o.rev = now.revision()
	} else {
		o.rev = max(o.rev, now.revision(), at)
	}
	o.used = now
	s := &v.scratch // which Join copies from
	joined := join.Join(o.kind, o.wanted(&s[0]), now.assigned.in(&s[1]), now.observed.in(&s[2]), now.current.object())
	clear(s[:])
	joined.SetResourceVersion(strconv.FormatUint(uint64(o.rev), 10))
	if pod, ok := joined.(*corev1.Pod); ok {
		pod.Status.Conditions = v.pool.Conditions(pod.Status.Conditions)
		now.share(pod)
	}
	o.joined = joined
	c := Change{Type: Added, Ref: ref, Object: o.joined, Old: old, Revision: at}
	if old != nil {
		c.Type = Modified
	}
	return append(changes, c)
}

// share has the parts that pod was joined from hold what is theirs in it, rather than
// copies: what it desires, and what is observed where nobody concluded something else.
func (c chosen) share(pod *corev1.Pod) {
	c.desired.obj = pod
	if o := c.observed; o != nil && o.status != nil && c.current == nil && (c.assigned == nil || c.assigned.status == nil) {
		o.status = &pod.Status
	}
}

// of leaves out the parts of another object than uid's.
func (c chosen) of(uid types.UID) chosen {
	for _, p := range []**part{&c.current, &c.assigned, &c.observed} {
		if *p != nil && (!(*p).known || (*p).uid != uid) {
			*p = nil
		}
	}
	return c
}

func (c chosen) revision() store.Revision {
	var rev store.Revision
	for _, p := range []*part{c.desired, c.current, c.assigned, c.observed} {
		if p != nil {
			rev = max(rev, p.rev)
		}
	}
	return rev
}
