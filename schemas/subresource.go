package schemas

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Subresource is something below a kind's objects: pods/exec, deployments/scale.
type Subresource struct {
	Name string
	// Of is the kind that is read or written there.
	Of    schema.GroupVersionKind
	Verbs []string
}

// Has tells whether k has the subresource called name.
func (k *Kind) Has(name string) bool {
	return slices.ContainsFunc(k.Subresources(), func(s Subresource) bool { return s.Name == name })
}

// Verbs are what can be asked of k's objects.
func (k *Kind) Verbs() []string {
	switch k.Store {
	case StoreNowhere:
		return []string{"create"} // its answer is all there is
	case StoreMeasured:
		return []string{"get", "list"}
	}
	return []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
}

// Subresources returns all that k has, by name.
func (k *Kind) Subresources() []Subresource {
	out := slices.Clone(k.Below)
	verbs := []string{"get", "patch", "update"}
	if k.StatusWriter != StatusNone {
		out = append(out, Subresource{Name: "status", Of: k.GroupVersionKind(), Verbs: verbs})
	}
	if k.Scale != nil {
		out = append(out, Subresource{Name: "scale", Of: schema.GroupVersionKind{Group: "autoscaling", Version: "v1", Kind: "Scale"}, Verbs: verbs})
	}
	slices.SortFunc(out, func(a, b Subresource) int { return strings.Compare(a.Name, b.Name) })
	return out
}
