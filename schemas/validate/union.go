package validate

import "k8s.io/apimachinery/pkg/util/validation/field"

// member is one of several fields of which exactly one has to be set.
type member struct {
	name  string
	set   bool
	check func(*field.Path) field.ErrorList // nil: nothing to check
}

// exactlyOne checks the member that is set; the ones after it, and none at all, are faults.
func exactlyOne(p *field.Path, none, more string, members []member) field.ErrorList {
	var errs field.ErrorList
	found := false
	for _, m := range members {
		switch {
		case !m.set:
		case found:
			errs = append(errs, field.Forbidden(p.Child(m.name), more))
		default:
			found = true
			if m.check != nil {
				errs = append(errs, m.check(p.Child(m.name))...)
			}
		}
	}
	return append(errs, when(!found, field.Required(p, none))...)
}
