// Package discover tells clients what is served: the groups, versions and resources, as
// the Kubernetes API tells them. Pure.
//
// It reads kinds. What always holds: everything is made of the kinds that it is given,
// at the time that it is asked: none is known beforehand.
package discover

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/schemas"
)

// LegacyVersions is /api. server is the address that the client reached.
func LegacyVersions(server string) *metav1.APIVersions {
	return &metav1.APIVersions{
		TypeMeta: metav1.TypeMeta{Kind: "APIVersions"},
		Versions: []string{"v1"},
		ServerAddressByClientCIDRs: []metav1.ServerAddressByClientCIDR{
			{ClientCIDR: "0.0.0.0/0", ServerAddress: server},
		},
	}
}

// Groups is /apis.
func Groups(kinds []*schemas.Kind) *metav1.APIGroupList {
	out := &metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: []metav1.APIGroup{}}
	for _, name := range groupNames(kinds) {
		if name != "" {
			out.Groups = append(out.Groups, group(kinds, name))
		}
	}
	return out
}

// Group is /apis/<name>, nil if nothing in it is served.
func Group(kinds []*schemas.Kind, name string) *metav1.APIGroup {
	if name == "" || !slices.Contains(groupNames(kinds), name) {
		return nil
	}
	g := group(kinds, name)
	g.TypeMeta = metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}
	return &g
}

func group(kinds []*schemas.Kind, name string) metav1.APIGroup {
	g := metav1.APIGroup{Name: name}
	for _, v := range versions(kinds, name) {
		g.Versions = append(g.Versions, metav1.GroupVersionForDiscovery{GroupVersion: schema.GroupVersion{Group: name, Version: v}.String(), Version: v})
	}
	g.PreferredVersion = g.Versions[0]
	return g
}

func groupNames(kinds []*schemas.Kind) []string {
	var out []string
	for _, k := range kinds {
		if !slices.Contains(out, k.Resource.Group) {
			out = append(out, k.Resource.Group)
		}
	}
	slices.Sort(out)
	return out
}

// versions are a group's, the preferred one first: stable before others, the higher first.
func versions(kinds []*schemas.Kind, group string) []string {
	var out []string
	for _, k := range kinds {
		if k.Resource.Group == group && !slices.Contains(out, k.Version) {
			out = append(out, k.Version)
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		stable := func(v string) bool { return !strings.Contains(v, "alpha") && !strings.Contains(v, "beta") }
		if stable(a) != stable(b) {
			if stable(a) {
				return -1
			}
			return 1
		}
		return strings.Compare(b, a)
	})
	return out
}

// of are the kinds of gv.
func of(kinds []*schemas.Kind, gv schema.GroupVersion) []*schemas.Kind {
	var out []*schemas.Kind
	for _, k := range kinds {
		if k.GroupVersion() == gv {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b *schemas.Kind) int { return strings.Compare(a.Resource.Plural, b.Resource.Plural) })
	return out
}

// Resources is /apis/<group>/<version>, nil if nothing in it is served.
func Resources(kinds []*schemas.Kind, gv schema.GroupVersion) *metav1.APIResourceList {
	mine := of(kinds, gv)
	if len(mine) == 0 {
		return nil
	}
	out := &metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: gv.String()}
	for _, k := range mine {
		out.APIResources = append(out.APIResources, metav1.APIResource{
			Name: k.Resource.Plural, SingularName: k.Singular, Namespaced: k.Namespaced, Kind: k.Kind,
			Verbs: k.Verbs(), ShortNames: k.ShortNames, Categories: k.Categories,
		})
		for _, s := range k.Subresources() {
			r := metav1.APIResource{Name: k.Resource.Plural + "/" + s.Name, Namespaced: k.Namespaced, Kind: s.Of.Kind, Verbs: s.Verbs}
			if s.Of.GroupVersion() != gv {
				r.Group, r.Version = s.Of.Group, s.Of.Version
			}
			out.APIResources = append(out.APIResources, r)
		}
	}
	return out
}
