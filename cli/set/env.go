package set

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
)

// Env is `skerry set env`.
type Env struct {
	flags
	Args       []string `arg:"" name:"type/name key=value" help:"The objects, then what to set: NAME=VALUE, or NAME- to remove it." optional:""`
	Env        []string `short:"e" help:"NAME=VALUE to set; may be repeated." placeholder:"NAME=VALUE" sep:"none"`
	Containers string   `short:"c" help:"Containers whose names match; * is all." default:"*" placeholder:"NAME"`
	From       string   `help:"A configmap or secret of whose keys variables are made." placeholder:"TYPE/NAME"`
	Keys       []string `help:"With --from: only these keys." placeholder:"KEY,…"`
	Prefix     string   `help:"What the names of the variables begin with." placeholder:"TEXT"`
	Overwrite  bool     `help:"Change variables that there are." default:"true" negatable:""`
	List       bool     `help:"Print the variables, and change nothing."`
}

// Run implements the command.
func (c *Env) Run(ctx context.Context, s *session.Session) error {
	objects, pairs := split(c.Args)
	ch, err := c.parse(append(pairs, c.Env...))
	if err != nil {
		return err
	}
	if c.From != "" {
		if err := c.add(ctx, s, &ch); err != nil {
			return err
		}
	}
	for i := range ch.set {
		ch.set[i].Name = c.Prefix + ch.set[i].Name
	}
	switch {
	case c.List && c.Output != "":
		return failure.Usage("--list and --output may not be specified together")
	case c.List:
		return c.each(ctx, s, objects, "", func(o target.Found) (any, error) { return nil, c.list(s, o, ch) })
	case len(ch.set)+len(ch.remove) == 0:
		return failure.Usage("at least one environment variable must be provided: NAME=VALUE sets, NAME- removes")
	}
	return c.run(ctx, s, objects, "env updated", func(spec *corev1.PodSpec) (map[string]any, error) { return c.variables(spec, ch) })
}

// changes are what becomes of the variables of each container.
type changes struct {
	set    []corev1.EnvVar
	remove []string
}

func (c *Env) parse(pairs []string) (ch changes, err error) {
	if len(c.Keys) > 0 && c.From == "" {
		return ch, failure.Usage("when specifying --keys, a configmap or secret must be provided with --from")
	}
	for _, p := range pairs {
		name, value, set := strings.Cut(p, "=")
		name, gone := strings.CutSuffix(name, "-")
		switch {
		case name == "" || set == gone:
			return ch, failure.Usage("%q is neither NAME=VALUE nor NAME-", p)
		case set:
			ch.set = append(ch.set, corev1.EnvVar{Name: name, Value: value})
		default:
			ch.remove = append(ch.remove, name)
		}
	}
	return ch, nil
}

// noName are the characters that names of variables cannot have.
var noName = regexp.MustCompile("[^a-zA-Z0-9_]")

// add makes a variable of each key of what --from names.
func (c *Env) add(ctx context.Context, s *session.Session, ch *changes) error {
	if c.Local {
		return failure.Usage("--from asks the server, which --local does not")
	}
	want, err := target.Parse(s.Table, []string{c.From})
	if err != nil {
		return err
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	found, err := target.Fetch(ctx, client, want, target.Query{Namespace: s.Namespace()})
	if err != nil {
		return err
	}
	for _, o := range found {
		refs, err := references(o.Object)
		if err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(refs)) {
			if len(c.Keys) > 0 && !slices.Contains(c.Keys, key) {
				continue
			}
			name := strings.ToUpper(noName.ReplaceAllString(key, "_"))
			if name != key {
				s.Warnf("key %s transferred to %s", key, name)
			}
			ch.set = append(ch.set, corev1.EnvVar{Name: name, ValueFrom: refs[key]})
		}
	}
	return nil
}

// references refer to the values of a configmap or secret, by key.
func references(obj runtime.Object) (map[string]*corev1.EnvVarSource, error) {
	out := map[string]*corev1.EnvVarSource{}
	switch o := obj.(type) {
	case *corev1.ConfigMap:
		for key := range o.Data {
			out[key] = &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: o.Name}, Key: key}}
		}
	case *corev1.Secret:
		for key := range o.Data {
			out[key] = &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: o.Name}, Key: key}}
		}
	default:
		return nil, fmt.Errorf("unsupported resource specified in --from")
	}
	return out, nil
}

// variables is the patch of the lists of containers.
func (c *Env) variables(spec *corev1.PodSpec, ch changes) (map[string]any, error) {
	out := patches{}
	found := false
	for list, containers := range lists(spec) {
		for _, one := range containers {
			if one.Name != c.Containers && c.Containers != "*" {
				continue
			}
			found = true
			env, err := ch.patch(one.Env, c.Overwrite)
			if err != nil {
				return nil, err
			}
			if len(env) > 0 {
				out.add(list, map[string]any{"name": one.Name, "env": env, "$setElementOrder/env": order(ch.on(one.Env))})
			}
		}
	}
	if !found {
		return nil, fmt.Errorf("unable to find container named %q", c.Containers)
	}
	return out, nil
}

// order is that of the variables; one may refer to those before it.
func order(env []corev1.EnvVar) (out []any) {
	for _, e := range env {
		out = append(out, map[string]any{"name": e.Name})
	}
	return out
}

// patch is what changes of a container's variables.
func (ch *changes) patch(now []corev1.EnvVar, overwrite bool) (env []any, err error) {
	at := func(name string) int {
		return slices.IndexFunc(now, func(e corev1.EnvVar) bool { return e.Name == name })
	}
	for _, e := range ch.set {
		i := at(e.Name)
		if i >= 0 && equality.Semantic.DeepEqual(now[i], e) {
			continue
		}
		if i >= 0 && !overwrite {
			return nil, fmt.Errorf("'%s' already has a value (%s), and --overwrite is false", e.Name, now[i].Value)
		}
		entry, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&e)
		if err == nil && i >= 0 {
			var was map[string]any
			was, err = runtime.DefaultUnstructuredConverter.ToUnstructured(&now[i])
			without(entry, was)
		}
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", e.Name, err)
		}
		env = append(env, entry)
	}
	for _, name := range ch.remove {
		if at(name) >= 0 {
			env = append(env, map[string]any{"name": name, "$patch": "delete"})
		}
	}
	return env, nil
}

// without has patch remove what was has and it has not.
func without(patch, was map[string]any) {
	for k, old := range was {
		now, has := patch[k]
		inNow, isMap := now.(map[string]any)
		inOld, wasMap := old.(map[string]any)
		switch {
		case !has:
			patch[k] = nil
		case isMap && wasMap:
			without(inNow, inOld)
		}
	}
}
