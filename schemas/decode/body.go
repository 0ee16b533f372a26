package decode

import (
	"errors"
	"fmt"
	"strings"

	kjson "sigs.k8s.io/json"

	"github.com/skerry/skerry/schemas"
)

// How a request treats fields that its kind does not have and keys given twice: the
// values of the fieldValidation parameter. Empty means FieldValidationWarn.
const (
	FieldValidationIgnore = "Ignore"
	FieldValidationWarn   = "Warn"
	FieldValidationStrict = "Strict"
)

// Strict decodes a request's JSON body into an object of kind. problems are the
// unknown and duplicate fields, in Kubernetes' words; err says that there is no
// object: malformed JSON, a value of the wrong type, another kind than the request's.
func Strict(kind *schemas.Kind, body []byte) (obj schemas.Object, problems []string, err error) {
	obj = kind.New()
	strict, err := kjson.UnmarshalStrict(body, obj)
	if err != nil {
		return nil, nil, explainFailure(kind, body, err)
	}
	for _, p := range strict {
		problems = append(problems, p.Error())
	}
	want := kind.GroupVersionKind()
	got := obj.GetObjectKind().GroupVersionKind()
	if got != want {
		return nil, nil, fmt.Errorf("the object is a %s of %s, but the request is for a %s of %s",
			orMissing(got.Kind, "(no kind)"), orMissing(got.GroupVersion().String(), "(no apiVersion)"), want.Kind, want.GroupVersion())
	}
	return obj, problems, nil
}

// Body is Strict under a request's fieldValidation: problems become warnings, an
// error or nothing.
func Body(kind *schemas.Kind, body []byte, fieldValidation string) (obj schemas.Object, warnings []string, err error) {
	obj, problems, err := Strict(kind, body)
	if err != nil {
		return nil, nil, err
	}
	switch fieldValidation {
	case FieldValidationIgnore:
		return obj, nil, nil
	case FieldValidationWarn, "":
		return obj, problems, nil
	case FieldValidationStrict:
		if len(problems) > 0 {
			return nil, nil, errors.New("strict decoding error: " + strings.Join(problems, ", "))
		}
		return obj, nil, nil
	}
	return nil, nil, fmt.Errorf("fieldValidation %q is not one of Ignore, Warn, Strict", fieldValidation)
}

func orMissing(s, missing string) string {
	if s == "" {
		return missing
	}
	return s
}

// unmarshal decodes JSON that has been checked. Names are case-sensitive.
func unmarshal(kind *schemas.Kind, data []byte) (schemas.Object, error) {
	obj := kind.New()
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, obj); err != nil {
		return nil, fmt.Errorf("decode %s: %w", kind.Kind, err)
	}
	obj.GetObjectKind().SetGroupVersionKind(kind.GroupVersionKind())
	return obj, nil
}

// explainFailure finds the field that made decoding fail, since encoding/json names
// Go types and not paths.
func explainFailure(kind *schemas.Kind, body []byte, err error) error {
	f, p := newFile("body", body)
	if p != nil {
		return fmt.Errorf("decode the body: %w", p)
	}
	roots, p := readJSON(f, chunk{text: f.text, line: 1})
	if p != nil {
		return fmt.Errorf("decode the body: %w (line %d, column %d)", p, p.pos.line, p.pos.col)
	}
	if len(roots) == 1 {
		c := newChecker(kind)
		c.check(roots[0])
		for _, p := range c.problems {
			if !strings.HasPrefix(p.message, "unknown field") {
				return fmt.Errorf("decode %s: %s: %w", kind.Kind, p.path, p)
			}
		}
	}
	return fmt.Errorf("decode %s: %w", kind.Kind, err)
}
