package outline

import (
	"maps"
	"slices"
	"strconv"

	"k8s.io/kube-openapi/pkg/validation/spec"
)

// preserve is the mark of objects that may have any field beside those that they describe.
const preserve = "x-kubernetes-preserve-unknown-fields"

// embedded marks an object of some kind within another: it has metadata.
const embedded = "x-kubernetes-embedded-resource"

// Prune takes the fields out of obj that its schema s does not name, and returns their paths.
// Those that every object has stay.
func Prune(obj map[string]any, s *spec.Schema) []string {
	if s == nil {
		return nil
	}
	var p pruner
	p.object(obj, s, "", true)
	return p.gone
}

type pruner struct{ gone []string }

func (p *pruner) value(v any, s *spec.Schema, path string) {
	switch v := v.(type) {
	case map[string]any:
		p.object(v, s, path, is(s, embedded))
	case []any:
		if s.Items == nil || s.Items.Schema == nil {
			return
		}
		for i, item := range v {
			p.value(item, s.Items.Schema, path+"["+strconv.Itoa(i)+"]")
		}
	}
}

func (p *pruner) object(m map[string]any, s *spec.Schema, path string, whole bool) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		at := name
		if path != "" {
			at = path + "." + name
		}
		switch field, known := s.Properties[name]; {
		case whole && (name == "apiVersion" || name == "kind" || name == "metadata"):
		case known:
			p.value(m[name], &field, at)
		case s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil:
			p.value(m[name], s.AdditionalProperties.Schema, at)
		case s.AdditionalProperties != nil && s.AdditionalProperties.Allows, is(s, preserve):
		default:
			delete(m, name)
			p.gone = append(p.gone, at)
		}
	}
}

func is(s *spec.Schema, mark string) bool {
	on, _ := s.Extensions.GetBool(mark)
	return on
}
