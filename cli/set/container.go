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

// patches are changes of elements of lists.
type patches map[string]any

func (p patches) add(list string, element map[string]any) {
	now, _ := p[list].([]any)
	p[list] = append(now, element)
}
