// Package outline describes kinds that this program has no Go type of, so that they can
// enter the table of kinds while it runs, and be told of to programs that do not have them.
//
// Pure. What always holds: an Outline is all JSON; the entry that is made of one is as
// complete as those of the kinds with a Go type, and its objects are unstructured.
package outline

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/column"
	"github.com/skerry/skerry/schemas/validate"
)

// Outline is what there is to know of a kind. Singular and Columns may be left out.
type Outline struct {
	Group      string   `json:"group,omitempty"`
	Version    string   `json:"version"`
	Kind       string   `json:"kind"`
	Plural     string   `json:"plural"`
	Singular   string   `json:"singular,omitempty"`
	ShortNames []string `json:"shortNames,omitempty"`
	Categories []string `json:"categories,omitempty"`
	Namespaced bool     `json:"namespaced,omitempty"`
	// Verbs that a kind has which are not the usual ones; of no meaning for Entry.
	Verbs []string `json:"verbs,omitempty"`
	// Status is true if the status is a subresource.
	Status bool           `json:"status,omitempty"`
	Scale  *schemas.Scale `json:"scale,omitempty"`
	// Columns are those of `get`; none stands for name and age.
	Columns []Column `json:"columns,omitempty"`
	// Selectable are the paths of fields that lists can be narrowed by: spec.colour.
	Selectable []string `json:"selectable,omitempty"`
	// Schema describes the object without apiVersion, kind and metadata. Fields that it does not
	// name are dropped. Nil: nothing is.
	Schema *spec.Schema `json:"schema,omitempty"`
}

// Column is a column whose cells are what a JSONPath finds: .spec.colour.
type Column struct {
	Name string `json:"name"` // COLOUR
	Path string `json:"path"`
	Date bool   `json:"date,omitempty"` // to be shown as how long ago it is
	Wide bool   `json:"wide,omitempty"`
}

// Of returns the outline of k. Columns that are more than a path are left out.
func Of(k *schemas.Kind) Outline {
	o := Outline{
		Group: k.Resource.Group, Version: k.Version, Kind: k.Kind, Plural: k.Resource.Plural, Singular: k.Singular,
		ShortNames: k.ShortNames, Categories: k.Categories, Namespaced: k.Namespaced, Verbs: k.Verbs(),
		Status: k.StatusWriter != schemas.StatusNone, Scale: k.Scale, Schema: k.Schema,
	}
	for _, c := range k.Columns {
		if c.Path != "" {
			o.Columns = append(o.Columns, Column{Name: c.Name, Path: c.Path, Date: c.Date, Wide: c.Wide})
		}
	}
	for path := range k.Selectable {
		o.Selectable = append(o.Selectable, path)
	}
	slices.Sort(o.Selectable)
	return o
}

// Entry makes o an entry for the table of kinds. Its Default, Validate and ValidateUpdate are its
// maker's to set further: Validate checks the metadata.
func (o Outline) Entry() (*schemas.Kind, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("describe %s: %w", schemas.Resource{Group: o.Group, Plural: o.Plural}, err)
	}
	k := &schemas.Kind{
		Resource: schemas.Resource{Group: o.Group, Plural: o.Plural}, Version: o.Version, Kind: o.Kind,
		Singular: o.Singular, ShortNames: o.ShortNames, Categories: o.Categories, Namespaced: o.Namespaced,
		Validate: validate.Untyped(o.Namespaced), ValidateUpdate: validate.UntypedUpdate,
		Generation: schemas.GenerationNew | schemas.GenerationContent,
		Revisioned: true, Scale: o.Scale, Schema: o.Schema, Selectable: map[string]func(schemas.Object) string{},
	}
	if k.Singular == "" {
		k.Singular = strings.ToLower(o.Kind)
	}
	if o.Status {
		k.StatusWriter = schemas.StatusController
	}
	var err error
	if k.Columns, err = o.columns(); err != nil {
		return nil, fmt.Errorf("describe %s: %w", k.Resource, err)
	}
	for _, path := range o.Selectable {
		k.Selectable[path] = func(obj schemas.Object) string { return Text(obj, path) }
	}
	gvk := k.GroupVersionKind()
	k.New = func() schemas.Object {
		u := &unstructured.Unstructured{Object: map[string]any{}}
		u.SetGroupVersionKind(gvk)
		return u
	}
	return k, nil
}

func (o Outline) check() error {
	var errs []error
	for what, text := range map[string]string{"plural": o.Plural, "singular": o.Singular, "version": o.Version} {
		if text == "" && what == "singular" {
			continue
		}
		for _, why := range validation.IsDNS1035Label(text) {
			errs = append(errs, fmt.Errorf("%s %q: %s", what, text, why))
		}
	}
	if o.Group != "" {
		for _, why := range validation.IsDNS1123Subdomain(o.Group) {
			errs = append(errs, fmt.Errorf("group %q: %s", o.Group, why))
		}
	}
	for _, why := range validation.IsDNS1035Label(strings.ToLower(o.Kind)) {
		errs = append(errs, fmt.Errorf("kind %q: %s", o.Kind, why))
	}
	return errors.Join(errs...)
}

func (o Outline) columns() ([]schemas.Column, error) {
	if len(o.Columns) == 0 {
		return column.Untyped(), nil
	}
	var out []schemas.Column
	for _, c := range o.Columns {
		made, err := column.Path(c.Name, c.Path, c.Date)
		if err != nil {
			return nil, err
		}
		made.Wide = c.Wide
		out = append(out, made)
	}
	return out, nil
}
