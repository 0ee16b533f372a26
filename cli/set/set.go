// Package set is `skerry set`: images and environment of the containers of pods and of
// workloads' templates.
//
// It writes objects by strategic merge patches, so that other fields stay as they are.
// What always holds: a container that is named has to be there, and nothing is sent
// when nothing changes.
package set

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
)

// Command is `skerry set`.
type Command struct {
	Image Image `cmd:"" help:"Set images of containers."`
	Env   Env   `cmd:"" help:"Set and remove environment variables of containers."`
}

// Image is `skerry set image`.
type Image struct{ flags }

// Env is `skerry set env`.
type Env struct {
	flags
	Containers string `short:"c" help:"Containers whose names match; * is all." default:"*" placeholder:"NAME"`
}

// flags are those of both commands.
type flags struct {
	Args []string `arg:"" name:"type/name key=value" help:"The objects, then what to set: NAME=IMAGE (* is every container), or NAME=VALUE and NAME- for variables."`

	manifest.Flags
	All      bool           `help:"All objects of the type in the namespace."`
	Selector string         `short:"l" help:"Objects whose labels match." placeholder:"LABELS"`
	DryRun   session.DryRun `help:"client: only say; server: send without storing." placeholder:"MODE"`
}

// Run implements the command.
func (c *Image) Run(ctx context.Context, s *session.Session) error {
	objects, pairs := split(c.Args)
	if len(pairs) == 0 {
		return failure.Usage("one or more NAME=IMAGE are required")
	}
	return c.run(ctx, s, objects, "image updated", func(spec *corev1.PodSpec) (map[string][]any, error) {
		return images(spec, pairs)
	})
}

// Run implements the command.
func (c *Env) Run(ctx context.Context, s *session.Session) error {
	objects, pairs := split(c.Args)
	if len(pairs) == 0 {
		return failure.Usage("at least one environment variable must be provided: NAME=VALUE sets, NAME- removes")
	}
	return c.run(ctx, s, objects, "env updated", func(spec *corev1.PodSpec) (map[string][]any, error) {
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
func images(spec *corev1.PodSpec, pairs []string) (map[string][]any, error) {
	out := map[string][]any{}
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
					out[field] = append(out[field], map[string]any{"name": c.Name, "image": image})
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
func variables(spec *corev1.PodSpec, which string, pairs []string) (map[string][]any, error) {
	out := map[string][]any{}
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
			out["containers"] = append(out["containers"], map[string]any{"name": c.Name, "env": env})
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

func (c *flags) run(ctx context.Context, s *session.Session, objects []string, done string, change func(*corev1.PodSpec) (map[string][]any, error)) error {
	want, err := c.want(s, objects)
	if err != nil {
		return err
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	found, err := target.Fetch(ctx, client, want, target.Query{Namespace: s.Namespace(), Selector: c.Selector})
	errs := []error{err}
	for _, o := range found {
		errs = append(errs, c.one(ctx, s, client, o, done, change))
	}
	return errors.Join(errs...)
}

func (c *flags) want(s *session.Session, objects []string) (target.Want, error) {
	if len(c.Filename) > 0 {
		docs, err := manifest.Read(s, c.Flags)
		if err != nil {
			return target.Want{}, err
		}
		return manifest.Want(docs), nil
	}
	w, err := target.Parse(s.Table, objects)
	if err == nil && len(w.Kinds) > 0 && !c.All && c.Selector == "" {
		err = failure.Usage("resource(s) were provided, but no name was specified; --all means all of them")
	}
	return w, err
}

func (c *flags) one(ctx context.Context, s *session.Session, client *api.Client, o target.Found, done string, change func(*corev1.PodSpec) (map[string][]any, error)) error {
	var spec *corev1.PodSpec
	inTemplate := true
	switch t := o.Object.(type) {
	case *corev1.Pod:
		spec, inTemplate = &t.Spec, false
	case *appsv1.Deployment:
		spec = &t.Spec.Template.Spec
	case *appsv1.ReplicaSet:
		spec = &t.Spec.Template.Spec
	default:
		return fmt.Errorf("%s has no containers", o.Label())
	}
	changed, err := change(spec)
	if err != nil || len(changed) == 0 {
		return err
	}
	content := map[string]any{"spec": changed}
	if inTemplate {
		content = map[string]any{"spec": map[string]any{"template": content}}
	}
	if c.DryRun != session.DryRunClient {
		body, err := json.Marshal(content)
		if err != nil {
			return fmt.Errorf("encode patch: %w", err)
		}
		ref := o.Ref()
		reply, err := client.Do(ctx, &api.Request{
			Verb: api.VerbPatch, Resource: ref.Resource, Namespace: ref.Namespace, Name: ref.Name,
			PatchType: types.StrategicMergePatchType, FieldManager: session.FieldManager, Body: body, DryRun: c.DryRun == session.DryRunServer,
		})
		if err != nil {
			return err
		}
		for _, w := range reply.Warnings {
			s.Warnf("%s", w)
		}
	}
	s.Printf("%s %s%s\n", o.Label(), done, c.DryRun.Suffix())
	return nil
}
