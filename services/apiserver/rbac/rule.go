package rbac

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/skerry/skerry/services/apiserver/access"
)

// allows tells whether a rule allows what a asks.
func allows(r *rbacv1.PolicyRule, a *access.Attributes) bool {
	if !has(r.Verbs, string(a.Verb)) {
		return false
	}
	if a.Path != "" {
		return slices.ContainsFunc(r.NonResourceURLs, func(url string) bool { return matches(url, a.Path) })
	}
	return has(r.APIGroups, a.Resource.Group) && hasResource(r.Resources, a.Resource.Plural, a.Subresource) && hasName(r.ResourceNames, string(a.Name))
}

func has(list []string, want string) bool {
	return slices.Contains(list, want) || slices.Contains(list, "*")
}

// hasResource: "pods", "pods/log", "*/scale" and "*", which stands for subresources too.
func hasResource(list []string, resource, sub string) bool {
	full := resource
	if sub != "" {
		full += "/" + sub
	}
	return has(list, full) || sub != "" && slices.Contains(list, "*/"+sub)
}

// hasName: without names a rule is about all objects; with them, never about a list.
func hasName(list []string, name string) bool {
	return len(list) == 0 || name != "" && slices.Contains(list, name)
}

// matches tells whether a path is url, which may end in a "*".
func matches(url, path string) bool {
	prefix, open := strings.CutSuffix(url, "*")
	return url == path || open && strings.HasPrefix(path, prefix)
}
