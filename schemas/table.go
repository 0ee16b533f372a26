package schemas

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Table is a set of kinds, found by resource, by kind and by what users type. Kinds can be
// put in and removed while it is used, but for those that it was made of. Safe for concurrent
// use: who reads takes no lock.
type Table struct {
	now atomic.Pointer[set]

	mu        sync.Mutex // of who changes the table, and while it tells of that
	listeners []*listener
}

// set is a table at one moment; it is never changed.
type set struct {
	kinds      []*Kind
	fixed      map[Resource]bool
	byResource map[Resource]*Kind
	byGVK      map[schema.GroupVersionKind]*Kind
	byType     map[reflect.Type]*Kind // of Go's types
}

// Change is what happens to a resource's entry: Old gives way to New. One of them may be nil.
type Change struct{ Old, New *Kind }

// Resource is the entry's.
func (c Change) Resource() Resource {
	if c.New != nil {
		return c.New.Resource
	}
	return c.Old.Resource
}

type listener struct{ f func(Change) }

// NewTable returns a table of the given kinds, which stay in it. It panics on two kinds
// with the same resource: a programming error.
func NewTable(kinds ...*Kind) *Table {
	fixed := map[Resource]bool{}
	for _, k := range kinds {
		if fixed[k.Resource] {
			panic(fmt.Sprintf("schemas: %s is in the table twice", k.Resource))
		}
		fixed[k.Resource] = true
	}
	t := &Table{}
	t.now.Store(newSet(slices.Clone(kinds), fixed))
	return t
}

func newSet(kinds []*Kind, fixed map[Resource]bool) *set {
	s := &set{kinds: kinds, fixed: fixed, byResource: map[Resource]*Kind{}, byGVK: map[schema.GroupVersionKind]*Kind{}, byType: map[reflect.Type]*Kind{}}
	slices.SortStableFunc(kinds, func(a, b *Kind) int {
		if c := strings.Compare(a.Resource.Group, b.Resource.Group); c != 0 {
			return c
		}
		return strings.Compare(a.Resource.Plural, b.Resource.Plural)
	})
	for _, k := range kinds {
		s.byResource[k.Resource] = k
		s.byGVK[k.GroupVersionKind()] = k
		if obj := k.New(); !IsUntyped(obj) {
			s.byType[reflect.TypeOf(obj)] = k
		}
	}
	return s
}

// IsUntyped tells whether obj is of no Go type of its kind's own.
func IsUntyped(obj Object) bool {
	_, is := obj.(*unstructured.Unstructured)
	return is
}

// Clone returns a table of its own with the same kinds, which nobody listens to.
func (t *Table) Clone() *Table {
	c := &Table{}
	c.now.Store(t.now.Load())
	return c
}

// Put adds k, or replaces the entry of its resource. It fails if the table was made with that, or
// if another resource has k's kind.
func (t *Table) Put(k *Kind) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.now.Load()
	if s.fixed[k.Resource] {
		return fmt.Errorf("put %s into the table: it is built in", k.Resource)
	}
	if other := s.byGVK[k.GroupVersionKind()]; other != nil && other.Resource != k.Resource {
		return fmt.Errorf("put %s into the table: %s has the kind %s", k.Resource, other.Resource, k.GroupVersionKind())
	}
	t.replace(s, Change{Old: s.byResource[k.Resource], New: k})
	return nil
}

// Remove takes r's entry away and tells whether it did: there may be none, and those that the
// table was made with stay.
func (t *Table) Remove(r Resource) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.now.Load()
	if s.fixed[r] || s.byResource[r] == nil {
		return false
	}
	t.replace(s, Change{Old: s.byResource[r]})
	return true
}

// replace makes c happen to s and tells of it. t.mu is held.
func (t *Table) replace(s *set, c Change) {
	kinds := make([]*Kind, 0, len(s.kinds)+1)
	for _, k := range s.kinds {
		if k != c.Old {
			kinds = append(kinds, k)
		}
	}
	if c.New != nil {
		kinds = append(kinds, c.New)
	}
	t.now.Store(newSet(kinds, s.fixed))
	for _, l := range t.listeners {
		l.f(c)
	}
}

// Listen has f called after every change from now on, one at a time and in order, until the
// returned stop has returned. A Put or Remove returns once f has; f must not call either, nor stop.
func (t *Table) Listen(f func(Change)) (stop func()) {
	l := &listener{f}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listeners = append(slices.Clone(t.listeners), l)
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.listeners = slices.DeleteFunc(slices.Clone(t.listeners), func(o *listener) bool { return o == l })
	}
}

// All returns every kind of this moment, sorted by group and plural. Do not change it.
func (t *Table) All() []*Kind { return t.now.Load().kinds }

// ByResource returns the kind of r, or nil.
func (t *Table) ByResource(r Resource) *Kind { return t.now.Load().byResource[r] }

// ByGVK returns the kind of gvk, or nil.
func (t *Table) ByGVK(gvk schema.GroupVersionKind) *Kind { return t.now.Load().byGVK[gvk] }

// ByType returns the kind whose Go type obj has, or nil.
func (t *Table) ByType(obj Object) *Kind { return t.now.Load().byType[reflect.TypeOf(obj)] }

// Find returns the kind that a user means by arg: a plural, singular, kind or
// short name in any case, optionally with a group ("deployments.apps"), or nil. What the table
// was made with goes first, whatever others are called.
func (t *Table) Find(arg string) *Kind {
	name, group, qualified := strings.Cut(strings.ToLower(arg), ".")
	s := t.now.Load()
	var found *Kind
	for _, k := range s.kinds {
		if qualified && group != k.Resource.Group && group != k.Version+"."+k.Resource.Group || !k.called(name) {
			continue
		}
		if s.fixed[k.Resource] {
			return k
		}
		if found == nil {
			found = k
		}
	}
	return found
}

// called tells whether users call k by a name, which is in lower case.
func (k *Kind) called(name string) bool {
	return name == k.Resource.Plural || name == k.Singular || name == strings.ToLower(k.Kind) || slices.Contains(k.ShortNames, name)
}
