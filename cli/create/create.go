// Package create is `skerry create`: new objects, from manifests or from flags.
//
// It reads files and writes objects through the apiserver. What always holds: an object
// that exists already is an error and stays as it is.
package create

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/apply"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Command is `skerry create`.
type Command struct {
	Files          Files          `cmd:"" default:"withargs" hidden:"" help:"From manifests: skerry create -f FILE."`
	Namespace      Namespace      `cmd:"" aliases:"ns" help:"A namespace."`
	ConfigMap      ConfigMap      `cmd:"" name:"configmap" aliases:"cm" help:"A configmap from literals and files."`
	Secret         Secret         `cmd:"" help:"A secret."`
	Deployment     Deployment     `cmd:"" aliases:"deploy" help:"A deployment of an image."`
	Service        Service        `cmd:"" aliases:"svc" help:"A service."`
	ServiceAccount ServiceAccount `cmd:"" name:"serviceaccount" aliases:"sa" help:"A service account."`
	PriorityClass  PriorityClass  `cmd:"" name:"priorityclass" aliases:"pc" help:"A priority class."`

	Role               Role               `cmd:"" help:"A role: what may be done in a namespace."`
	ClusterRole        ClusterRole        `cmd:"" name:"clusterrole" help:"A cluster role: what may be done anywhere."`
	RoleBinding        RoleBinding        `cmd:"" name:"rolebinding" help:"A role binding: who may do it."`
	ClusterRoleBinding ClusterRoleBinding `cmd:"" name:"clusterrolebinding" help:"A cluster role binding: who may do it anywhere."`
}

// Options are those of all forms.
type Options struct {
	DryRun     session.DryRun `help:"client: only say; server: send without storing." placeholder:"MODE"`
	Output     string         `short:"o" help:"yaml, json, name, jsonpath=…: print the object." placeholder:"FORMAT"`
	SaveConfig bool           `help:"Note the manifest in the object, for later applies."`
	// Done is what is said of the object; "created" if nothing else.
	Done string `kong:"-"`
}

// Files is `skerry create -f`.
type Files struct {
	manifest.Flags
	Options
}

// Run implements the command.
func (c *Files) Run(ctx context.Context, s *session.Session) error {
	if len(c.Filename) == 0 {
		return failure.Usage("must specify a manifest with -f, or what to create: skerry create deployment NAME --image=IMAGE")
	}
	docs, err := manifest.Read(ctx, s, c.Flags)
	if err != nil {
		return err
	}
	manifest.Warn(s, docs)
	var errs []error
	for _, d := range docs {
		err := c.create(ctx, s, d.Kind, d.Content)
		if err != nil {
			err = failure.FromFile(d.Locate(err), "creating", d.File)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Object creates an object made from flags, and says so.
func (c *Options) Object(ctx context.Context, s *session.Session, r schemas.Resource, obj schemas.Object) error {
	kind, content, err := content(s, r, obj)
	if err != nil {
		return err
	}
	return c.create(ctx, s, kind, content)
}

// Make is Object without a word.
func (c *Options) Make(ctx context.Context, s *session.Session, r schemas.Resource, obj schemas.Object) (target.Found, error) {
	kind, content, err := content(s, r, obj)
	if err != nil {
		return target.Found{}, err
	}
	return c.store(ctx, s, kind, content)
}

// content is obj as a manifest has it.
func content(s *session.Session, r schemas.Resource, obj schemas.Object) (*schemas.Kind, map[string]any, error) {
	kind := s.Table.ByResource(r)
	obj.GetObjectKind().SetGroupVersionKind(kind.GroupVersionKind())
	if kind.Namespaced {
		obj.SetNamespace(string(s.Namespace()))
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, nil, fmt.Errorf("make %s: %w", kind.Singular, err)
	}
	delete(content, "status")
	if m, ok := content["metadata"].(map[string]any); ok && m["creationTimestamp"] == nil {
		delete(m, "creationTimestamp")
	}
	return kind, content, nil
}

// create sends one object and says what came of it.
func (c *Options) create(ctx context.Context, s *session.Session, kind *schemas.Kind, content map[string]any) error {
	format, err := output.Parse(c.Output)
	if err != nil {
		return err
	}
	found, err := c.store(ctx, s, kind, content)
	if err != nil {
		return err
	}
	if format.Kind != "" {
		return format.Print(s.Stdout, []target.Found{found}, false)
	}
	s.Printf("%s %s%s\n", found.Label(), cmp.Or(c.Done, "created"), c.DryRun.Suffix())
	return nil
}

// store sends one object, unless nothing is to be sent.
func (c *Options) store(ctx context.Context, s *session.Session, kind *schemas.Kind, content map[string]any) (target.Found, error) {
	var err error
	if c.SaveConfig {
		if content, err = apply.Annotated(content); err != nil {
			return target.Found{}, err
		}
	}
	obj := kind.New()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, obj); err != nil {
		return target.Found{}, fmt.Errorf("read %s: %w", kind.Singular, err)
	}
	if c.DryRun != session.DryRunClient {
		if obj, err = c.send(ctx, s, kind, obj, content); err != nil {
			return target.Found{}, err
		}
	}
	return target.Found{Kind: kind, Object: obj}, nil
}

func (c *Options) send(ctx context.Context, s *session.Session, kind *schemas.Kind, obj metav1.Object, content map[string]any) (schemas.Object, error) {
	client, err := s.Client(ctx)
	if err != nil {
		return nil, err
	}
	reply, err := session.Ask(ctx, client, &api.Request{
		Verb: api.VerbCreate, Resource: kind.Resource, Namespace: schemas.Namespace(obj.GetNamespace()), Name: schemas.Name(obj.GetName()),
		FieldValidation: "Strict", DryRun: c.DryRun == session.DryRunServer,
	}, content)
	if err != nil {
		return nil, err
	}
	for _, w := range reply.Warnings {
		s.Warnf("%s", w)
	}
	return session.Decode(kind, reply.Body)
}
