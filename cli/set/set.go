// Package set is `skerry set`: images, environment, resources and accounts of pods and of
// workloads' templates, and who has a role.
//
// It writes objects by strategic merge patches, so that other fields stay as they are.
// What always holds: a container that is named has to be there, and nothing is sent
// when nothing changes.
package set

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
)

// Command is `skerry set`.
type Command struct {
	Image     Image     `cmd:"" help:"Set images of containers."`
	Env       Env       `cmd:"" help:"Set and remove environment variables of containers."`
	Resources Resources `cmd:"" help:"Set what containers ask for and may use."`
	Account   Account   `cmd:"" name:"serviceaccount" aliases:"sa" help:"Set the service account."`
	Subject   Subject   `cmd:"" help:"Give a role to more users, groups and service accounts."`
	Selector  Selector  `cmd:"" help:"Set the selector of services."`
}

// flags are those of all of them.
type flags struct {
	manifest.Flags
	All      bool           `help:"All objects of the type in the namespace."`
	Selector string         `short:"l" help:"Objects whose labels match." placeholder:"LABELS"`
	Output   string         `short:"o" help:"Print the object: name, yaml, json, jsonpath=…" placeholder:"FORMAT"`
	DryRun   session.DryRun `help:"client: only say; server: send without storing." placeholder:"MODE"`
}

// each sends a patch of each of the objects, of the content that change returns; nil is none.
func (c *flags) each(ctx context.Context, s *session.Session, objects []string, done string, change func(target.Found) (any, error)) error {
	want, err := c.Chosen(s, objects, c.All, c.Selector)
	if err != nil {
		return err
	}
	format, err := output.Parse(c.Output)
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
		content, err := change(o)
		if err == nil && content != nil {
			err = c.send(ctx, s, client, o, content, done, format)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c *flags) send(ctx context.Context, s *session.Session, client *api.Client, o target.Found, content any, done string, format output.Format) error {
	if c.DryRun != session.DryRunClient {
		reply, err := session.Patch{Ref: o.Ref(), Type: types.StrategicMergePatchType, Content: content, DryRun: c.DryRun}.Send(ctx, s, client)
		if err != nil {
			return err
		}
		if o.Object, err = session.Decode(o.Kind, reply.Body); err != nil {
			return err
		}
	}
	if format.Kind != "" {
		return format.Print(s.Stdout, []target.Found{o}, false)
	}
	s.Printf("%s %s%s\n", o.Label(), done, c.DryRun.Suffix())
	return nil
}

// run is each for what changes a pod's spec or that of a template.
func (c *flags) run(ctx context.Context, s *session.Session, objects []string, done string, change func(*corev1.PodSpec) (map[string]any, error)) error {
	return c.each(ctx, s, objects, done, func(o target.Found) (any, error) {
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
			return nil, fmt.Errorf("%s has no containers", o.Label())
		}
		changed, err := change(spec)
		if err != nil || len(changed) == 0 {
			return nil, err
		}
		content := map[string]any{"spec": changed}
		if inTemplate {
			content = map[string]any{"spec": map[string]any{"template": content}}
		}
		return content, nil
	})
}
