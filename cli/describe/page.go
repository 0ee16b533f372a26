package describe

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
)

// page writes indented lines whose values are aligned.
type page struct {
	tw  *tabwriter.Writer
	now time.Time
}

func newPage(w io.Writer, now time.Time) *page {
	return &page{tw: tabwriter.NewWriter(w, 0, 8, 2, ' ', 0), now: now}
}

func (p *page) flush() error { return p.tw.Flush() }

// line writes one line at a level of indentation; tabs separate columns.
func (p *page) line(level int, format string, args ...any) {
	fmt.Fprintf(p.tw, strings.Repeat("  ", level)+format+"\n", args...)
}

// field writes "key:  value"; an empty value is <none>.
func (p *page) field(level int, key string, value any) {
	v := fmt.Sprint(value)
	if v == "" {
		v = none
	}
	p.line(level, "%s:\t%s", key, v)
}

const none = "<none>"

// pairs writes a map, one entry a line, aligned under its key.
func (p *page) pairs(level int, key, separator string, m map[string]string) {
	if len(m) == 0 {
		p.field(level, key, "")
		return
	}
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i == 0 {
			p.line(level, "%s:\t%s%s%s", key, k, separator, m[k])
		} else {
			p.line(level, "\t%s%s%s", k, separator, m[k])
		}
	}
}

// annotations leaves out the last applied manifest, which would repeat everything.
func (p *page) annotations(m map[string]string) {
	shown := maps.Clone(m)
	delete(shown, "kubectl.kubernetes.io/last-applied-configuration")
	for k, v := range shown {
		if i := strings.IndexByte(v, '\n'); i >= 0 {
			shown[k] = v[:i] + "…"
		}
	}
	p.pairs(0, "Annotations", ": ", shown)
}

func (p *page) list(level int, key string, values []string) {
	if len(values) == 0 {
		p.field(level, key, "")
		return
	}
	for i, v := range values {
		if i == 0 {
			p.line(level, "%s:\t%s", key, v)
		} else {
			p.line(level, "\t%s", v)
		}
	}
}

func (p *page) age(t metav1.Time) string {
	if t.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(p.now.Sub(t.Time))
}

func stamp(t metav1.Time) string {
	if t.IsZero() {
		return "<unset>"
	}
	return t.Time.Format(time.RFC1123Z)
}

// meta writes what every object has.
func (p *page) meta(o metav1.Object) {
	p.field(0, "Name", o.GetName())
	if ns := o.GetNamespace(); ns != "" {
		p.field(0, "Namespace", ns)
	}
}

func (p *page) deletion(o metav1.Object) {
	t := o.GetDeletionTimestamp()
	if t == nil {
		return
	}
	p.field(0, "Termination", fmt.Sprintf("since %s (%s)", stamp(*t), p.age(*t)))
	if g := o.GetDeletionGracePeriodSeconds(); g != nil {
		p.field(0, "Termination Grace Period", fmt.Sprintf("%ds", *g))
	}
	if f := o.GetFinalizers(); len(f) > 0 {
		p.list(0, "Finalizers", f)
	}
}

func (p *page) controlledBy(o metav1.Object) {
	if c := metav1.GetControllerOf(o); c != nil {
		p.field(0, "Controlled By", c.Kind+"/"+c.Name)
	}
}
