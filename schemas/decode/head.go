package decode

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/guess"
)

// head is what a document says of itself: its kind, or that it is a list.
type head struct {
	kind    *schemas.Kind
	list    bool
	problem *problem
	// Of a typed list: what its items are.
	itemVersion, itemKind string
}

func (m *manifest) head(root *node, version, kind string) head {
	wrong := func(p *problem) head { return head{problem: p} }
	given := map[string]string{"apiVersion": version, "kind": kind}
	for _, key := range []string{"apiVersion", "kind"} {
		p, ok := root.get(key)
		switch {
		case !ok && given[key] != "":
			continue
		case !ok:
			return wrong(m.missing(root, key))
		case p.value.kind != stringNode || p.value.value == "":
			return wrong(&problem{pos: p.value.pos, path: key, message: "expected a name, got " + p.value.describe()})
		}
		given[key], _ = p.value.value.(string)
	}
	return m.lookup(root, given["apiVersion"], given["kind"])
}

func (m *manifest) missing(root *node, key string) *problem {
	p := &problem{pos: root.pos, path: key, message: "missing: every object starts with apiVersion and kind"}
	for _, other := range root.pairs {
		if other.key != "kind" && other.key != "apiVersion" && guess.Slip(other.key, key) {
			p.pos, p.path = other.pos, other.key
			p.message = fmt.Sprintf("unknown field, did you mean %q?", key)
			return p
		}
	}
	if kind := root.str("kind"); key == "apiVersion" && kind != "" {
		if known := m.byKind(kind); len(known) > 0 {
			p.message = fmt.Sprintf("missing: a %s has apiVersion %s", kind, known[0].GroupVersion())
		}
	}
	return p
}

// byKind returns the kinds of that name, in any case.
func (m *manifest) byKind(kind string) []*schemas.Kind {
	var found []*schemas.Kind
	for _, k := range m.table.All() {
		if strings.EqualFold(k.Kind, kind) {
			found = append(found, k)
		}
	}
	return found
}

// lookup finds the kind in the table, or says what is nearest to it.
func (m *manifest) lookup(root *node, version, kind string) head {
	if version == "v1" && kind == "List" {
		return head{list: true}
	}
	gv, err := schema.ParseGroupVersion(version)
	if err != nil {
		return head{problem: &problem{pos: place(root, "apiVersion"), path: "apiVersion",
			message: fmt.Sprintf("%q is not a group and version such as apps/v1", shorten(version))}}
	}
	if k := m.table.ByGVK(gv.WithKind(kind)); k != nil {
		return head{kind: k}
	}
	if item, ok := strings.CutSuffix(kind, "List"); ok && m.table.ByGVK(gv.WithKind(item)) != nil {
		return head{list: true, itemVersion: version, itemKind: item}
	}
	return head{problem: m.unknownKind(root, version, kind)}
}

func (m *manifest) unknownKind(root *node, version, kind string) *problem {
	p := &problem{pos: place(root, "kind"), path: "kind", unknown: true}
	same := m.byKind(kind)
	if i := slices.IndexFunc(same, func(k *schemas.Kind) bool { return k.Kind == kind }); i >= 0 {
		p.pos, p.path = place(root, "apiVersion"), "apiVersion"
		p.message = fmt.Sprintf("%s %s is not served; use %s", shorten(version), kind, same[i].GroupVersion())
		return p
	}
	names := make([]string, 0, len(m.table.All()))
	for _, k := range m.table.All() {
		names = append(names, k.Kind)
	}
	p.message = fmt.Sprintf("kind %q of %s is not served", shorten(kind), shorten(version))
	if best := guess.Nearest(kind, names); best != "" {
		p.message = fmt.Sprintf("unknown kind %q, did you mean %q?", shorten(kind), best)
	}
	return p
}

// place is where key's value stands, or root if there is none.
func place(root *node, key string) pos {
	if p, ok := root.get(key); ok {
		return p.value.pos
	}
	return root.pos
}
