package complete

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/skerry/skerry/schemas"
)

// arguments are candidates for a command's arguments.
func (f finder) arguments(node *kong.Node, positional []string, last, namespace string) []string {
	if only := enumOf(node, len(positional)); only != nil {
		return only
	}
	switch path := node.FullPath(); {
	case strings.HasSuffix(path, " explain"):
		return f.kinds("")
	case strings.HasSuffix(path, " logs"), strings.HasSuffix(path, " exec"), strings.HasSuffix(path, " why"):
		return f.pods(positional, last, namespace)
	case strings.HasSuffix(path, " cordon"), strings.HasSuffix(path, " uncordon"), strings.HasSuffix(path, " drain"):
		return f.objects(f.table.ByResource(schemas.Nodes), "")
	case !takesObjects(node):
		return nil
	}
	if typ, _, ok := strings.Cut(last, "/"); ok {
		return f.named(typ, namespace, typ+"/")
	}
	if len(positional) == 0 {
		return f.kinds("")
	}
	if strings.Contains(positional[0], "/") {
		return f.kinds("/")
	}
	return f.named(positional[0], namespace, "")
}

// enumOf lists an argument's fixed values, nil if it has none.
func enumOf(node *kong.Node, at int) []string {
	if at >= len(node.Positional) || node.Positional[at].Enum == "" {
		return nil
	}
	return slices.Clone(node.Positional[at].EnumSlice())
}

// takesObjects tells by the argument's name, which the help shows too.
func takesObjects(node *kong.Node) bool {
	return slices.ContainsFunc(node.Positional, func(p *kong.Positional) bool { return strings.HasPrefix(p.Name, "type") })
}

func (f finder) kinds(suffix string) []string {
	var out []string
	for _, k := range f.table.All() {
		out = append(out, k.Resource.Plural+suffix)
	}
	if suffix == "" {
		out = append(out, "all")
	}
	return out
}

func (f finder) named(typ, namespace, prefix string) []string {
	kind := f.table.Find(typ)
	if kind == nil {
		return nil
	}
	var out []string
	for _, n := range f.objects(kind, namespace) {
		out = append(out, prefix+n)
	}
	return out
}

func (f finder) pods(positional []string, last, namespace string) []string {
	if len(positional) > 0 {
		return nil
	}
	if typ, _, ok := strings.Cut(last, "/"); ok {
		return f.named(typ, namespace, typ+"/")
	}
	return f.objects(f.table.ByResource(schemas.Pods), namespace)
}
