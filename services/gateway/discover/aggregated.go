package discover

import (
	discoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/schemas"
)

// Aggregated is everything in one answer: of the legacy group (/api) or of all others
// (/apis).
func Aggregated(kinds []*schemas.Kind, legacy bool) *discoveryv2.APIGroupDiscoveryList {
	out := &discoveryv2.APIGroupDiscoveryList{
		TypeMeta: metav1.TypeMeta{Kind: "APIGroupDiscoveryList", APIVersion: discoveryv2.SchemeGroupVersion.String()},
		Items:    []discoveryv2.APIGroupDiscovery{},
	}
	for _, name := range groupNames(kinds) {
		if (name == "") != legacy {
			continue
		}
		g := discoveryv2.APIGroupDiscovery{ObjectMeta: metav1.ObjectMeta{Name: name}}
		for _, v := range versions(kinds, name) {
			g.Versions = append(g.Versions, version(kinds, schema.GroupVersion{Group: name, Version: v}))
		}
		out.Items = append(out.Items, g)
	}
	return out
}

func version(kinds []*schemas.Kind, gv schema.GroupVersion) discoveryv2.APIVersionDiscovery {
	out := discoveryv2.APIVersionDiscovery{Version: gv.Version, Freshness: discoveryv2.DiscoveryFreshnessCurrent}
	for _, k := range of(kinds, gv) {
		r := discoveryv2.APIResourceDiscovery{
			Resource: k.Resource.Plural, ResponseKind: gvk(k.GroupVersionKind()), Scope: discoveryv2.ScopeCluster,
			SingularResource: k.Singular, Verbs: k.Verbs(), ShortNames: k.ShortNames, Categories: k.Categories,
		}
		if k.Namespaced {
			r.Scope = discoveryv2.ScopeNamespace
		}
		for _, s := range k.Subresources() {
			r.Subresources = append(r.Subresources, discoveryv2.APISubresourceDiscovery{Subresource: s.Name, ResponseKind: gvk(s.Of), Verbs: s.Verbs})
		}
		out.Resources = append(out.Resources, r)
	}
	return out
}

func gvk(k schema.GroupVersionKind) *metav1.GroupVersionKind {
	return &metav1.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind}
}
