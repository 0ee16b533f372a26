package set

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
)

// Resources is `skerry set resources`.
type Resources struct {
	flags
	Args       []string `arg:"" optional:"" name:"type/name" help:"The objects."`
	Containers string   `short:"c" help:"Containers whose names match; * is all." default:"*" placeholder:"NAME"`
	Limits     string   `help:"What they may use, as cpu=200m,memory=512Mi." placeholder:"AMOUNTS"`
	Requests   string   `help:"What they ask for, as cpu=200m,memory=512Mi." placeholder:"AMOUNTS"`
}

// Run implements the command.
func (c *Resources) Run(ctx context.Context, s *session.Session) error {
	if c.Limits == "" && c.Requests == "" {
		return failure.Usage("you must specify an update to requests or limits (in the form of --requests/--limits)")
	}
	limits, err := amounts(c.Limits)
	if err != nil {
		return err
	}
	requests, err := amounts(c.Requests)
	if err != nil {
		return err
	}
	return c.run(ctx, s, c.Args, "resource requirements updated", func(spec *corev1.PodSpec) (map[string]any, error) {
		out, found := patches{}, false
		for list, containers := range lists(spec) {
			for _, ct := range containers {
				if ct.Name != c.Containers && (c.Containers != "*" || list != "containers") {
					continue
				}
				found = true
				changed := map[string]any{}
				differing(changed, "limits", ct.Resources.Limits, limits)
				differing(changed, "requests", ct.Resources.Requests, requests)
				if len(changed) > 0 {
					out.add(list, map[string]any{"name": ct.Name, "resources": changed})
				}
			}
		}
		if !found {
			return nil, fmt.Errorf("unable to find container named %q", c.Containers)
		}
		return out, nil
	})
}

// differing notes of what is wanted those amounts that are not there.
func differing(changed map[string]any, field string, now, want corev1.ResourceList) {
	for name, q := range want {
		if have, ok := now[name]; ok && have.Cmp(q) == 0 {
			continue
		}
		list, ok := changed[field].(corev1.ResourceList)
		if !ok {
			list = corev1.ResourceList{}
			changed[field] = list
		}
		list[name] = q
	}
}

// amounts reads cpu=200m,memory=512Mi.
func amounts(text string) (corev1.ResourceList, error) {
	out := corev1.ResourceList{}
	if text == "" {
		return out, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(part, "=")
		if !ok || name == "" {
			return nil, failure.Usage("invalid argument syntax %q, expected <resource>=<value>", part)
		}
		q, err := resource.ParseQuantity(value)
		if err != nil {
			return nil, failure.Usage("%s: %q is no amount: %w", name, value, err)
		}
		out[corev1.ResourceName(name)] = q
	}
	return out, nil
}
