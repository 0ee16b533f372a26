// Package target understands how a user names objects: "pods", "deploy,rs",
// "pod web-1 web-2", "pod/web-1 deploy/web", "all", or files.
//
// Pure parsing in this file; fetching reads from the apiserver. What always holds:
// objects come in the order in which the user named them.
package target

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/schemas"
)

// Item is one object that the user named.
type Item struct {
	Kind *schemas.Kind
	Name schemas.Name
	// Namespace is what the object's manifest says; "" for the request's.
	Namespace schemas.Namespace
}

// Ref names the object, in ns unless it says otherwise.
func (it Item) Ref(ns schemas.Namespace) schemas.Ref {
	if it.Namespace != "" {
		ns = it.Namespace
	}
	if !it.Kind.Namespaced {
		ns = ""
	}
	return schemas.Ref{Resource: it.Kind.Resource, Namespace: ns, Name: it.Name}
}

// Want is what the arguments ask for: either named items, or whole kinds.
type Want struct {
	Items []Item
	Kinds []*schemas.Kind
	// Multiple is true if names are to be printed with their kind.
	Multiple bool
}

// Parse reads the arguments of get, delete, describe and their like.
func Parse(table *schemas.Table, args []string) (Want, error) {
	if len(args) == 0 {
		return Want{}, failure.Usage("you must specify the type of resource, for example `pods`, or a file with -f; `skerry api-resources` lists the types")
	}
	if slices.ContainsFunc(args, func(a string) bool { return strings.Contains(a, "/") }) {
		return parseSlashes(table, args)
	}
	kinds, err := parseKinds(table, args[0])
	if err != nil {
		return Want{}, err
	}
	names := args[1:]
	if len(names) == 0 {
		return Want{Kinds: kinds, Multiple: len(kinds) > 1 || args[0] == "all"}, nil
	}
	if len(kinds) > 1 {
		return Want{}, failure.Usage("you may only specify a single resource type with names; use type/name for several")
	}
	w := Want{}
	for _, n := range names {
		w.Items = append(w.Items, Item{Kind: kinds[0], Name: schemas.Name(n)})
	}
	return w, nil
}

func parseSlashes(table *schemas.Table, args []string) (Want, error) {
	var w Want
	for _, arg := range args {
		typ, name, ok := strings.Cut(arg, "/")
		if !ok {
			return Want{}, failure.Usage("there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. 'skerry get resource/<resource_name>' instead of 'skerry get resource resource/<resource_name>')")
		}
		if typ == "" || name == "" || strings.Contains(name, "/") {
			return Want{}, failure.Usage("arguments in resource/name form may not have more than one slash, nor an empty part: %q", arg)
		}
		kinds, err := parseKinds(table, typ)
		if err != nil {
			return Want{}, err
		}
		for _, k := range kinds {
			w.Items = append(w.Items, Item{Kind: k, Name: schemas.Name(name)})
			w.Multiple = w.Multiple || k != w.Items[0].Kind
		}
	}
	return w, nil
}

// UnknownType is the error about a type that the table does not have.
type UnknownType string

func (u UnknownType) Error() string {
	return fmt.Sprintf("the server doesn't have a resource type %q; `skerry api-resources` lists those it has", string(u))
}

// parseKinds reads "deploy,rs" or the category "all".
func parseKinds(table *schemas.Table, arg string) ([]*schemas.Kind, error) {
	var kinds []*schemas.Kind
	for _, typ := range strings.Split(arg, ",") {
		found := category(table, typ)
		if k := table.Find(typ); k != nil {
			found = []*schemas.Kind{k}
		}
		if len(found) == 0 {
			return nil, UnknownType(typ)
		}
		for _, k := range found {
			if !slices.Contains(kinds, k) {
				kinds = append(kinds, k)
			}
		}
	}
	return kinds, nil
}

func category(table *schemas.Table, name string) []*schemas.Kind {
	var kinds []*schemas.Kind
	for _, k := range table.All() {
		if slices.Contains(k.Categories, name) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// Label renders "pod/web" or "deployment.apps/web", as kubectl names objects.
func Label(k *schemas.Kind, name string) string {
	if k.Resource.Group == "" {
		return k.Singular + "/" + name
	}
	return k.Singular + "." + k.Resource.Group + "/" + name
}

// Split renders `deployment.apps "web"`, as kubectl does when it deletes.
func Split(k *schemas.Kind, name string) string {
	t, n, _ := strings.Cut(Label(k, name), "/")
	return fmt.Sprintf("%s %q", t, n)
}
