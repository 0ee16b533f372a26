package schemas

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kube-openapi/pkg/validation/spec"
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

	// New returns a new zero object with its TypeMeta set: of Go's type for the kind, or an
	// *unstructured.Unstructured if the program has none.
	New func() Object
	// Schema describes a kind without a Go type, metadata left out. Nil: any field may be there.
	Schema *spec.Schema
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
	// Scale says where the scale subresource reads and writes. Nil: the kind has none.
	Scale *Scale
	// Selectable are the fields that lists and watches can be narrowed by, beside name and
	// namespace, of a kind without a Go type.
	Selectable map[string]func(Object) string
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

// Scale are the paths, without the leading dot, of what a Scale shows of an object. Selector is a string
// or a LabelSelector there; "" is none.
type Scale struct {
	Replicas string `json:"replicas"` // spec.replicas
	Status   string `json:"status"`   // status.replicas
	Selector string `json:"selector,omitempty"`
}

// Column is one printer column of `get`.
type Column struct {
	Name string
	Wide bool // only with -o wide
	// Path is the JSONPath that Value is read from, as a date or as it is; "" if there is more to it.
	Path string
	Date bool
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
