package validate

import (
	"maps"
	"path"
	"slices"
	"strings"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	mustBeSet      = "" // the type of the error says it all
	mustBePositive = "must be greater than zero"
	mustBeFileMode = "must be a number between 0 and 0777 (octal), both inclusive"
)

// when is err if it applies.
func when(applies bool, err *field.Error) field.ErrorList {
	if applies {
		return field.ErrorList{err}
	}
	return nil
}

// extend adds lists to errs. It is for loops: it does not copy errs each time.
func extend(errs field.ErrorList, more ...field.ErrorList) field.ErrorList {
	for _, m := range more {
		errs = append(errs, m...)
	}
	return errs
}

// faults makes of each message about value an error at p.
func faults[T any](p *field.Path, value T, messages []string) field.ErrorList {
	var errs field.ErrorList
	for _, m := range messages {
		errs = append(errs, field.Invalid(p, value, m))
	}
	return errs
}

func label(p *field.Path, value string) field.ErrorList {
	return faults(p, value, validation.IsDNS1123Label(value))
}

func subdomain(p *field.Path, value string) field.ErrorList {
	return faults(p, value, validation.IsDNS1123Subdomain(value))
}

func qualified(p *field.Path, value string) field.ErrorList {
	return faults(p, value, validation.IsQualifiedName(value))
}

// optional runs check on a value that may be left out.
func optional(p *field.Path, value string, check func(*field.Path, string) field.ErrorList) field.ErrorList {
	if value == "" {
		return nil
	}
	return check(p, value)
}

// required asks for a value, and then for what check asks.
func required(p *field.Path, value string, check func(*field.Path, string) field.ErrorList) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(p, mustBeSet)}
	}
	return check(p, value)
}

// need asks for each named child of p to have a value.
func need(p *field.Path, nameValues ...string) field.ErrorList {
	var errs field.ErrorList
	for i := 0; i+1 < len(nameValues); i += 2 {
		if nameValues[i+1] == "" {
			errs = append(errs, field.Required(p.Child(nameValues[i]), mustBeSet))
		}
	}
	return errs
}

// oneOf asks for one of the allowed values; none at all is a missing field.
func oneOf[T ~string](p *field.Path, value T, allowed ...T) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(p, mustBeSet)}
	}
	if slices.Contains(allowed, value) {
		return nil
	}
	return field.ErrorList{field.NotSupported(p, value, allowed)}
}

// maybeOneOf asks for one of the allowed values if there is any.
func maybeOneOf[T ~string](p *field.Path, value *T, allowed ...T) field.ErrorList {
	if value == nil || slices.Contains(allowed, *value) {
		return nil
	}
	return field.ErrorList{field.NotSupported(p, *value, allowed)}
}

func nonNegative[T int32 | int64](p *field.Path, n T) field.ErrorList {
	return apivalidation.ValidateNonnegativeField(int64(n), p)
}

func maybeNonNegative[T int32 | int64](p *field.Path, n *T) field.ErrorList {
	if n == nil {
		return nil
	}
	return nonNegative(p, *n)
}

func fileMode(p *field.Path, mode *int32) field.ErrorList {
	if mode == nil {
		return nil
	}
	return when(*mode < 0 || *mode > 0o777, field.Invalid(p, *mode, mustBeFileMode))
}

func userID(p *field.Path, id *int64) field.ErrorList {
	if id == nil {
		return nil
	}
	return faults(p, *id, validation.IsValidUserID(*id))
}

func groupID(p *field.Path, id *int64) field.ErrorList {
	if id == nil {
		return nil
	}
	return faults(p, *id, validation.IsValidGroupID(*id))
}

// portOrName checks a port given by number or by name.
func portOrName(p *field.Path, port intstr.IntOrString) field.ErrorList {
	if port.Type == intstr.String {
		return faults(p, port.StrVal, validation.IsValidPortName(port.StrVal))
	}
	return faults(p, port.IntVal, validation.IsValidPortNum(int(port.IntVal)))
}

// noBacksteps keeps a path from leaving the directory that it is relative to.
func noBacksteps(p *field.Path, value string) field.ErrorList {
	if !slices.Contains(strings.Split(value, "/"), "..") {
		return nil
	}
	return field.ErrorList{field.Invalid(p, value, "must not contain '..'")}
}

// descending is a relative path that stays below its directory.
func descending(p *field.Path, value string) field.ErrorList {
	errs := when(path.IsAbs(value), field.Invalid(p, value, "must be a relative path"))
	return append(errs, noBacksteps(p, value)...)
}

// unreserved is a descending path that leaves the names starting with '..' to the
// agent, which swaps directories of such names to update files at one stroke.
func unreserved(p *field.Path, value string) field.ErrorList {
	errs := descending(p, value)
	reserved := strings.HasPrefix(value, "..") && !strings.HasPrefix(value, "../") && value != ".."
	return append(errs, when(reserved, field.Invalid(p, value, "must not start with '..'"))...)
}

// keysOf returns a map's keys in order, so that faults come in the same order each time.
func keysOf[K ~string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
