package schemas

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Resource identifies a kind's collection by group and plural: the form that
// subjects, keys and command lines use. The group of the core API is "".
type Resource struct {
	Group  string
	Plural string
}

// String renders "pods" or "deployments.apps", as kubectl does.
func (r Resource) String() string {
	if r.Group == "" {
		return r.Plural
	}
	return r.Plural + "." + r.Group
}

// Kind is one row of the table of kinds: all that Skerry knows of a kind.
type Kind struct {
	Resource   Resource
	Version    string
	Kind       string   // "Deployment"
	Singular   string   // "deployment"
	ShortNames []string // "deploy"
	Categories []string // "all"
	Namespaced bool

	// New returns a new zero object with its TypeMeta set.
	New func() Object
	// Default fills in what Kubernetes' defaulting fills in. Nil: nothing.
	Default func(Object)
	// Validate checks a new object; ValidateUpdate checks obj against the old one.
	Validate       func(obj Object) field.ErrorList
	ValidateUpdate func(obj, old Object) field.ErrorList
	// ValidateStatus checks a client's change of the status at a time. Nil: any is taken.
	ValidateStatus func(obj, old Object, now time.Time) field.ErrorList
	// Columns are the columns of `get`, in kubectl's order.
	Columns []Column

	// Store tells which stream keeps the kind.
	Store StoreClass
	// StatusWriter tells which prefix of the state bucket holds the status.
	StatusWriter StatusWriter
	// Generation tells what metadata.generation counts.
	Generation Generation
	// Scale is true if the kind has the scale subresource.
	Scale bool
	// Below are the subresources that the kind has beside status and scale.
	Below []Subresource
	// Revisioned is true if every state is kept in the revisions bucket.
	// Objects with a controlling owner are not: their owner's history has them.
	Revisioned bool
	// Unhonoured lists field paths that are accepted but not acted on yet, in the
	// notation of Warnings; apply warns about each by name.
	Unhonoured []string
	// Because says of a path of Unhonoured, without its conditions, what that means and what to do
	// instead; nil and others: the general sentence.
	Because map[string]string
}

// StoreClass says where a kind is stored.
type StoreClass int

const (
	// StoreState: the state bucket, durable.
	StoreState StoreClass = iota
	// StoreEvents: the events stream, which expires.
	StoreEvents
	// StoreNowhere: the answer to a create is all there is of it.
	StoreNowhere
	// StoreMeasured: nothing is kept; it is measured when somebody reads it.
	StoreMeasured
)

// StatusWriter says which service writes a kind's status.
type StatusWriter int

const (
	// StatusNone: the kind has no status subresource.
	StatusNone StatusWriter = iota
	// StatusController: current.<resource>.<namespace>.<name>.
	StatusController
	// StatusAgent: observed.<node>.…, overlaid by the controller's current.
	StatusAgent
)

// Generation says what metadata.generation counts, as the kind's strategy in Kubernetes does
// (PrepareForCreate and PrepareForUpdate in its pkg/registry). 0: objects have none.
type Generation uint8

const (
	// GenerationNew: a new object has 1.
	GenerationNew Generation = 1 << iota
	// GenerationContent: a change of what is neither metadata nor status counts.
	GenerationContent
	// GenerationLabels: so does a change of labels.
	GenerationLabels
	// GenerationAnnotations: so does a change of annotations, which are passed on.
	GenerationAnnotations
)

// Column is one printer column of `get`.
type Column struct {
	Name string
	Wide bool // only with -o wide
	// Value renders the cell. now is the time that ages are counted from.
	Value func(obj Object, now time.Time) string
}

// GroupVersion returns the kind's group and version.
func (k *Kind) GroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: k.Resource.Group, Version: k.Version}
}

// GroupVersionKind returns the kind's full name.
func (k *Kind) GroupVersionKind() schema.GroupVersionKind {
	return k.GroupVersion().WithKind(k.Kind)
}

// Table is a set of kinds, found by resource, by kind and by what users type.
type Table struct {
	kinds      []*Kind
	byResource map[Resource]*Kind
	byGVK      map[schema.GroupVersionKind]*Kind
}

// NewTable returns a table of the given kinds, in the order that api-resources
// lists them. It panics on two kinds with the same resource: a programming error.
func NewTable(kinds ...*Kind) *Table {
	t := &Table{byResource: map[Resource]*Kind{}, byGVK: map[schema.GroupVersionKind]*Kind{}}
	for _, k := range kinds {
		if t.byResource[k.Resource] != nil {
			panic(fmt.Sprintf("schemas: %s is in the table twice", k.Resource))
		}
		t.kinds = append(t.kinds, k)
		t.byResource[k.Resource] = k
		t.byGVK[k.GroupVersionKind()] = k
	}
	sort.SliceStable(t.kinds, func(i, j int) bool {
		a, b := t.kinds[i].Resource, t.kinds[j].Resource
		if a.Group != b.Group {
			return a.Group < b.Group
		}
		return a.Plural < b.Plural
	})
	return t
}

// All returns every kind, sorted by group and plural.
func (t *Table) All() []*Kind { return t.kinds }

// ByResource returns the kind of r, or nil.
func (t *Table) ByResource(r Resource) *Kind { return t.byResource[r] }

// ByGVK returns the kind of gvk, or nil.
func (t *Table) ByGVK(gvk schema.GroupVersionKind) *Kind { return t.byGVK[gvk] }

// Find returns the kind that a user means by arg: a plural, singular, kind or
// short name in any case, optionally with a group ("deployments.apps"), or nil.
func (t *Table) Find(arg string) *Kind {
	name, group, qualified := strings.Cut(strings.ToLower(arg), ".")
	for _, k := range t.kinds {
		if qualified && group != k.Resource.Group && group != k.Version+"."+k.Resource.Group {
			continue
		}
		if name == k.Resource.Plural || name == k.Singular || name == strings.ToLower(k.Kind) {
			return k
		}
		for _, s := range k.ShortNames {
			if name == s {
				return k
			}
		}
	}
	return nil
}
