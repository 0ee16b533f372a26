package wait

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// goal is the state that is waited for: one of its fields is set.
type goal struct {
	created, deleted bool
	condition        string
	path             string
	// value that the condition or the path must have; hasValue false: any.
	value    string
	hasValue bool
}

// parseGoal reads --for.
func parseGoal(s string) (goal, error) {
	switch {
	case s == "delete":
		return goal{deleted: true}, nil
	case s == "create":
		return goal{created: true}, nil
	case strings.HasPrefix(s, "condition="):
		name, value, has := strings.Cut(strings.TrimPrefix(s, "condition="), "=")
		if !has {
			value = "True"
		}
		if name == "" {
			return goal{}, failure.Usage("--for=condition= needs the condition's name")
		}
		return goal{condition: name, value: value, hasValue: true}, nil
	case strings.HasPrefix(s, "jsonpath="):
		return pathGoal(strings.TrimPrefix(s, "jsonpath="))
	}
	return goal{}, failure.Usage("unrecognized condition: %q; --for takes create, delete, condition=NAME[=VALUE] or jsonpath={.path}[=VALUE]", s)
}

// pathGoal reads "{.a.b}", "{.a.b}=value", and the same with quotes around the path.
func pathGoal(s string) (goal, error) {
	s = strings.Trim(s, "'")
	end := strings.LastIndex(s, "}")
	if end < 0 {
		path, value, has := strings.Cut(s, "=")
		return goal{path: path, value: value, hasValue: has}, nil
	}
	g := goal{path: s[:end+1]}
	rest := strings.TrimPrefix(s[end+1:], "'")
	if rest == "" {
		return g, nil
	}
	value, has := strings.CutPrefix(rest, "=")
	if !has || value == "" {
		return g, failure.Usage("jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or --for=jsonpath='{.status.readyReplicas}'")
	}
	g.value, g.hasValue = strings.Trim(value, `'"`), true
	return g, nil
}

// met tells whether obj, which exists, has reached the goal.
func (g goal) met(k *schemas.Kind, obj schemas.Object) (bool, error) {
	switch {
	case g.created:
		return true, nil
	case g.deleted:
		return false, nil
	}
	content, err := output.Content(target.Found{Kind: k, Object: obj}, true)
	if err != nil {
		return false, err
	}
	if g.condition != "" {
		return g.conditionMet(content), nil
	}
	values, err := output.Lookup(g.path, content)
	if err != nil {
		return false, err
	}
	for _, v := range values {
		if !g.hasValue || fmt.Sprint(v) == g.value {
			return true, nil
		}
	}
	return false, nil
}

// conditionMet ignores conditions that were concluded from an older generation.
func (g goal) conditionMet(content map[string]any) bool {
	conditions, _, _ := unstructured.NestedSlice(content, "status", "conditions")
	generation, _, _ := unstructured.NestedInt64(content, "metadata", "generation")
	for _, c := range conditions {
		m, ok := c.(map[string]any)
		if !ok || !strings.EqualFold(fmt.Sprint(m["type"]), g.condition) {
			continue
		}
		observed, has, _ := unstructured.NestedInt64(m, "observedGeneration")
		if !has {
			observed, has, _ = unstructured.NestedInt64(content, "status", "observedGeneration")
		}
		if has && observed < generation {
			return false
		}
		return strings.EqualFold(fmt.Sprint(m["status"]), g.value)
	}
	return false
}
