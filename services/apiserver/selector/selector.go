package selector

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/schemas"
)

// Selector matches objects of one resource by labels and fields. The zero value
// matches everything.
type Selector struct {
	labels labels.Selector
	fields []requirement
}

type requirement struct {
	get   func(schemas.Object) string
	value string
	equal bool
}

// Parse parses the selectors of o for k's objects. A malformed selector, or a field that
// cannot be selected by, is a BadRequest.
func Parse(k *schemas.Kind, o *metav1.ListOptions) (Selector, error) {
	var s Selector
	if o == nil {
		return s, nil
	}
	if o.LabelSelector != "" {
		l, err := labels.Parse(o.LabelSelector)
		if err != nil {
			return s, apierrors.NewBadRequest(err.Error())
		}
		if !l.Empty() {
			s.labels = l
		}
	}
	if o.FieldSelector == "" {
		return s, nil
	}
	f, err := fields.ParseSelector(o.FieldSelector)
	if err != nil {
		return s, apierrors.NewBadRequest(err.Error())
	}
	for _, q := range f.Requirements() {
		get := field(k, q.Field)
		if get == nil {
			return s, apierrors.NewBadRequest(unknown(k, q.Field))
		}
		s.fields = append(s.fields, requirement{get: get, value: q.Value, equal: q.Operator != "!="})
	}
	return s, nil
}

// Everything tells whether s matches all objects.
func (s Selector) Everything() bool { return s.labels == nil && len(s.fields) == 0 }

// Matches tells whether obj is selected.
func (s Selector) Matches(obj schemas.Object) bool {
	if obj == nil {
		return false
	}
	if s.labels != nil && !s.labels.Matches(labels.Set(obj.GetLabels())) {
		return false
	}
	for _, q := range s.fields {
		if (q.get(obj) == q.value) != q.equal {
			return false
		}
	}
	return true
}
