// Package set is `skerry set`: images, environment, resources and accounts of pods and of
// workloads' templates, and who has a role.
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

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
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
	Local    bool           `help:"Change what the manifests say, and ask no server."`
}

// each sends a patch of each of the objects, of the content that change returns; nil is none.
func (c *flags) each(ctx context.Context, s *session.Session, objects []string, done string, change func(target.Found) (any, error)) error {
	format, err := output.Parse(c.Output)
	if err != nil {
		return err
	}
	found, client, err := c.find(ctx, s, objects)
	if found == nil && err != nil {
		return err
	}
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

// find gets the objects: from the server, or with --local from the manifests, and no client.
func (c *flags) find(ctx context.Context, s *session.Session, objects []string) ([]target.Found, *api.Client, error) {
	if c.Local {
		found, err := c.written(ctx, s, objects)
		return found, nil, err
	}
	want, err := c.Chosen(ctx, s, objects, c.All, c.Selector)
	if err != nil {
		return nil, nil, err
	}
	client, err := s.Client(ctx)
	if err != nil {
		return nil, nil, err
	}
	found, err := target.Fetch(ctx, client, want, target.Query{Namespace: s.Namespace(), Selector: c.Selector})
	return found, client, err
}

// written are the objects as the manifests have them.
func (c *flags) written(ctx context.Context, s *session.Session, objects []string) ([]target.Found, error) {
	switch {
	case c.DryRun == session.DryRunServer:
		return nil, failure.Usage("cannot specify --local and --dry-run=server - did you mean --dry-run=client?")
	case len(objects) > 0 || len(c.Filename) == 0:
		return nil, failure.Usage("you must specify resources by --filename when --local is set")
	}
	docs, err := manifest.Read(ctx, s, c.Flags)
	if err != nil {
		return nil, err
	}
	found := make([]target.Found, len(docs))
	for i, d := range docs {
		found[i] = target.Found{Kind: d.Kind, Object: d.Object}
	}
	return found, nil
}

func (c *flags) send(ctx context.Context, s *session.Session, client *api.Client, o target.Found, content any, done string, format output.Format) error {
	var err error
	if client == nil || c.DryRun == session.DryRunClient {
		o.Object, err = patched(o, content)
	} else {
		var reply *api.Reply
		reply, err = session.Patch{Ref: o.Ref(), Type: types.StrategicMergePatchType, Content: content, DryRun: c.DryRun}.Send(ctx, s, client)
		if err == nil {
			o.Object, err = session.Decode(o.Kind, reply.Body)
		}
	}
	if err != nil {
		return err
	}
	if format.Kind != "" {
		return format.Print(s.Stdout, []target.Found{o}, false)
	}
	s.Printf("%s %s%s\n", o.Label(), done, c.DryRun.Suffix())
	return nil
}

// patched is what the server would make of o.
func patched(o target.Found, content any) (schemas.Object, error) {
	doc, err := json.Marshal(o.Object)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", o.Label(), err)
	}
	patch, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("encode patch: %w", err)
	}
	if doc, err = strategicpatch.StrategicMergePatch(doc, patch, o.Kind.New()); err != nil {
		return nil, fmt.Errorf("patch %s: %w", o.Label(), err)
	}
	return session.Decode(o.Kind, doc)
}

// run is each for what changes a pod's spec or that of a template.
func (c *flags) run(ctx context.Context, s *session.Session, objects []string, done string, change func(*corev1.PodSpec) (map[string]any, error)) error {
	return c.each(ctx, s, objects, done, func(o target.Found) (any, error) {
		spec, inTemplate := podSpec(o.Object)
		if spec == nil {
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

// podSpec is what obj's pods are like; nil if it has none.
func podSpec(obj schemas.Object) (spec *corev1.PodSpec, inTemplate bool) {
	switch t := obj.(type) {
	case *corev1.Pod:
		return &t.Spec, false
	case *appsv1.Deployment:
		return &t.Spec.Template.Spec, true
	case *appsv1.ReplicaSet:
		return &t.Spec.Template.Spec, true
	}
	return nil, false
}
