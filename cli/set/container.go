package set

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
)

// Image is `skerry set image`.
type Image struct {
	flags
	Args []string `arg:"" name:"type/name key=value" help:"The objects, then what to set: NAME=IMAGE; * is every container."`
}

// Env is `skerry set env`.
type Env struct {
	flags
	Args       []string `arg:"" name:"type/name key=value" help:"The objects, then what to set: NAME=VALUE, or NAME- to remove it."`
	Containers string   `short:"c" help:"Containers whose names match; * is all." default:"*" placeholder:"NAME"`
}

// Run implements the command.
func (c *Image) Run(ctx context.Context, s *session.Session) error {
	objects, pairs := split(c.Args)
	if len(pairs) == 0 {
		return failure.Usage("one or more NAME=IMAGE are required")
	}
	return c.run(ctx, s, objects, "image updated", func(spec *corev1.PodSpec) (map[string]any, error) {
		return images(spec, pairs)
	})
}

// Run implements the command.
func (c *Env) Run(ctx context.Context, s *session.Session) error {
	objects, pairs := split(c.Args)
	if len(pairs) == 0 {
		return failure.Usage("at least one environment variable must be provided: NAME=VALUE sets, NAME- removes")
	}
	return c.run(ctx, s, objects, "env updated", func(spec *corev1.PodSpec) (map[string]any, error) {
		return variables(spec, c.Containers, pairs)
	})
}

// split separates objects from changes: the first argument with "=" or a final "-"
// begins the changes.
func split(args []string) (objects, pairs []string) {
	i := slices.IndexFunc(args, func(a string) bool { return strings.Contains(a, "=") || strings.HasSuffix(a, "-") })
	if i < 0 {
		return args, nil
	}
	return args[:i], args[i:]
}

// images is the patch of the lists of containers.
func images(spec *corev1.PodSpec, pairs []string) (map[string]any, error) {
	out := patches{}
	for _, p := range pairs {
		name, image, ok := strings.Cut(p, "=")
		if !ok || name == "" || image == "" {
			return nil, failure.Usage("%q is not NAME=IMAGE", p)
		}
		found := false
		for field, cs := range lists(spec) {
			for _, c := range cs {
				if c.Name != name && name != "*" {
					continue
				}
				found = true
				if c.Image != image {
					out.add(field, map[string]any{"name": c.Name, "image": image})
				}
			}
		}
		if !found {
			return nil, fmt.Errorf("unable to find container named %q", name)
		}
	}
	return out, nil
}

func lists(spec *corev1.PodSpec) map[string][]corev1.Container {
	return map[string][]corev1.Container{"containers": spec.Containers, "initContainers": spec.InitContainers}
}

// variables is the patch of the lists of containers.
func variables(spec *corev1.PodSpec, which string, pairs []string) (map[string]any, error) {
	out := patches{}
	found := false
	for _, c := range spec.Containers {
		if c.Name != which && which != "*" {
			continue
		}
		found = true
		var env []any
		for _, p := range pairs {
			e, err := variable(c.Env, p)
			if err != nil {
				return nil, err
			}
			if e != nil {
				env = append(env, e)
			}
		}
		if len(env) > 0 {
			out.add("containers", map[string]any{"name": c.Name, "env": env})
		}
	}
	if !found {
		return nil, fmt.Errorf("unable to find container named %q", which)
	}
	return out, nil
}

// variable is one entry of the patch; nil if nothing changes.
func variable(now []corev1.EnvVar, pair string) (map[string]any, error) {
	name, value, set := strings.Cut(pair, "=")
	if !set {
		name = strings.TrimSuffix(pair, "-")
	}
	if name == "" || !set && name == pair {
		return nil, failure.Usage("%q is neither NAME=VALUE nor NAME-", pair)
	}
	i := slices.IndexFunc(now, func(e corev1.EnvVar) bool { return e.Name == name })
	switch {
	case !set && i < 0, set && i >= 0 && now[i].Value == value && now[i].ValueFrom == nil:
		return nil, nil
	case !set:
		return map[string]any{"name": name, "$patch": "delete"}, nil
	}
	return map[string]any{"name": name, "value": value, "valueFrom": nil}, nil
}

// patches are changes of elements of lists.
type patches map[string]any

func (p patches) add(list string, element map[string]any) {
	now, _ := p[list].([]any)
	p[list] = append(now, element)
}
