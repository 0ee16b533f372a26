package replicaset

import (
	"maps"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

// set is what this process remembers of one replicaset while it leads. All of it can be
// found out again by looking at every pod of the set.
type set struct {
	uid types.UID
	// next is the first unused ordinal, negative before it is known: names are not used
	// again even after every pod has gone.
	next  int
	tally *tally // nil before the first count
	makes bool   // its last pods could be made: the next ones need not begin with one

	mu sync.Mutex
	// changed are the pods to be looked at again. It is never more than the set has.
	changed map[string]struct{}
}

// touch says that pods of these names changed.
func (s *set) touch(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		s.changed[name] = struct{}{}
	}
}

// take returns what changed since the last call.
func (s *set) take() map[string]struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.changed
	s.changed = map[string]struct{}{}
	return changed
}

// sets are those that have been reconciled. Safe for concurrent use; a set's own fields
// are its reconciliation's.
type sets struct {
	mu sync.Mutex
	of map[schemas.Ref]*set
	by map[types.UID]*set // the same
}

func newSets() sets { return sets{of: map[schemas.Ref]*set{}, by: map[types.UID]*set{}} }

// get returns rs's, new if there was none of its uid.
func (s *sets) get(key schemas.Ref, rs *appsv1.ReplicaSet) *set {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.of[key]
	if old != nil && old.uid == rs.UID {
		return old
	}
	if old != nil {
		delete(s.by, old.uid)
	}
	fresh := &set{uid: rs.UID, next: -1, changed: map[string]struct{}{}}
	s.of[key], s.by[rs.UID] = fresh, fresh
	return fresh
}

func (s *sets) forget(key schemas.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.of[key]; old != nil {
		delete(s.by, old.uid)
		delete(s.of, key)
	}
}

// touch says that o, which may be nil, changed. A set that was not counted yet has no
// use for it. It is the uid that makes a pod a set's, whatever else its reference says.
func (s *sets) touch(o schemas.Object) {
	if o == nil {
		return
	}
	ref := metav1.GetControllerOfNoCopy(o)
	if ref == nil {
		return
	}
	s.mu.Lock()
	set := s.by[ref.UID]
	s.mu.Unlock()
	if set != nil {
		set.touch(o.GetName())
	}
}

// count brings s's tally of rs's pods up to date, and returns how long it is until time
// alone changes it; 0 for never.
func (k *Controller) count(rs *appsv1.ReplicaSet, selector labels.Selector, s *set) (after time.Duration) {
	now := k.c.Now()
	put := func(name string, p *corev1.Pod) {
		if wait := s.tally.put(name, p, now); wait > 0 && (after == 0 || wait < after) {
			after = wait
		}
	}
	// What changes from here on is looked at next time, whether or not it is counted now.
	changed := s.take()
	if s.tally == nil || !s.tally.rules.hold(rs) {
		s.tally = newTally(rulesOf(rs, selector))
		for _, p := range k.owned(rs) {
			put(p.Name, p)
		}
		return after
	}
	maps.Copy(changed, s.tally.waiting)
	for name := range changed {
		put(name, k.pod(rs, name))
	}
	return after
}

// pod returns rs's pod of that name; nil if there is none, or it is not rs's.
func (k *Controller) pod(rs *appsv1.ReplicaSet, name string) *corev1.Pod {
	obj, ok := k.c.View.Get(schemas.Ref{Resource: schemas.Pods, Namespace: schemas.Namespace(rs.Namespace), Name: schemas.Name(name)})
	if !ok || !metav1.IsControlledBy(obj, rs) {
		return nil
	}
	p, _ := obj.(*corev1.Pod)
	return p
}
