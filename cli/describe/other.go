package describe

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/target"
)

func (p *page) namespace(n *corev1.Namespace) {
	p.meta(n)
	p.pairs(0, "Labels", "=", n.Labels)
	p.annotations(n.Annotations)
	p.field(0, "Status", n.Status.Phase)
	p.deletion(n)
	if len(n.Status.Conditions) > 0 {
		p.line(0, "Conditions:")
		p.line(1, "Type\tStatus\tReason\tMessage")
		p.line(1, "----\t------\t------\t-------")
		for _, c := range n.Status.Conditions {
			p.line(1, "%s\t%s\t%s\t%s", c.Type, c.Status, c.Reason, c.Message)
		}
	}
}

func (p *page) configMap(c *corev1.ConfigMap) {
	p.meta(c)
	p.pairs(0, "Labels", "=", c.Labels)
	p.annotations(c.Annotations)
	p.line(0, "\nData\n====")
	for _, k := range slices.Sorted(maps.Keys(c.Data)) {
		p.line(0, "%s:\n----\n%s\n", k, c.Data[k])
	}
	p.line(0, "\nBinaryData\n====")
	for _, k := range slices.Sorted(maps.Keys(c.BinaryData)) {
		p.line(0, "%s: %d bytes", k, len(c.BinaryData[k]))
	}
	p.line(0, "")
}

func (p *page) secret(s *corev1.Secret) {
	p.meta(s)
	p.pairs(0, "Labels", "=", s.Labels)
	p.annotations(s.Annotations)
	p.line(0, "\nType:\t%s", s.Type)
	p.line(0, "\nData\n====")
	for _, k := range slices.Sorted(maps.Keys(s.Data)) {
		p.line(0, "%s:\t%d bytes", k, len(s.Data[k]))
	}
}

// generic shows an object field by field, metadata first.
func (p *page) generic(o target.Found) error {
	content, err := output.Content(o, false)
	if err != nil {
		return err
	}
	p.meta(o.Object)
	p.pairs(0, "Labels", "=", o.Object.GetLabels())
	p.annotations(o.Object.GetAnnotations())
	p.field(0, "API Version", content["apiVersion"])
	p.field(0, "Kind", content["kind"])
	if m, ok := content["metadata"].(map[string]any); ok {
		for _, shown := range []string{"name", "namespace", "labels", "annotations"} {
			delete(m, shown)
		}
	}
	delete(content, "apiVersion")
	delete(content, "kind")
	p.tree(0, content)
	return nil
}

func (p *page) tree(level int, m map[string]any) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		switch v := m[k].(type) {
		case map[string]any:
			p.line(level, "%s:", words(k))
			p.tree(level+1, v)
		case []any:
			p.line(level, "%s:", words(k))
			for _, e := range v {
				if sub, ok := e.(map[string]any); ok {
					p.tree(level+1, sub)
					continue
				}
				p.line(level+1, "%v", e)
			}
		default:
			p.line(level, "%s:\t%s", words(k), strings.ReplaceAll(fmt.Sprint(v), "\n", "\\n"))
		}
	}
}

// words turns "leaseDurationSeconds" into "Lease Duration Seconds".
func words(s string) string {
	var b strings.Builder
	for i, r := range s {
		if i == 0 {
			r = unicode.ToUpper(r)
		} else if unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}
