package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
)

// Diff is `skerry diff`.
type Diff struct {
	manifest.Flags
	Selector       string `short:"l" help:"Only documents whose labels match." placeholder:"LABELS"`
	ServerSide     bool   `help:"Compare with what apply --server-side would make."`
	ForceConflicts bool   `help:"With --server-side: take over fields that others own."`
	FieldManager   string `help:"Who owns the fields." placeholder:"NAME"`
	ShowManaged    bool   `name:"show-managed-fields" help:"Compare metadata.managedFields too."`
}

// Run implements the command. It ends with exit code 1 if there are differences.
func (c *Diff) Run(ctx context.Context, s *session.Session) error {
	if len(c.Filename) == 0 {
		return failure.Usage("must specify a manifest with -f: a file, a folder, or - for stdin")
	}
	docs, err := manifest.Read(ctx, s, c.Flags)
	if err != nil {
		return err
	}
	if docs, err = manifest.Select(docs, c.Selector); err != nil {
		return err
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	a := &applier{s: s, client: client, Command: &Command{
		ServerSide: c.ServerSide, ForceConflicts: c.ForceConflicts, FieldManager: c.FieldManager, DryRun: session.DryRunServer,
	}}
	different := false
	var errs []error
	for _, d := range ordered(docs) {
		text, err := a.diff(ctx, d, c.ShowManaged)
		errs = append(errs, err)
		different = different || text != ""
		s.Printf("%s", text)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if different {
		return failure.Exit(failure.CodeUser)
	}
	return nil
}

// diff compares what is stored with what applying d would store.
func (a *applier) diff(ctx context.Context, d manifest.Document, managed bool) (string, error) {
	var live map[string]any
	obj, err := a.client.Get(ctx, d.Ref())
	if err == nil {
		live, err = output.Content(target.Found{Kind: d.Kind, Object: obj}, managed)
	} else if apierrors.IsNotFound(err) {
		err = nil
	}
	if err != nil {
		return "", err
	}
	merged, err := a.dry(ctx, d)
	if err != nil {
		return "", err
	}
	next, err := output.Content(merged, managed)
	if err != nil {
		return "", err
	}
	return unified(d, live, next)
}

// dry applies d without storing it.
func (a *applier) dry(ctx context.Context, d manifest.Document) (target.Found, error) {
	if a.ServerSide {
		body, err := json.Marshal(d.Content)
		if err != nil {
			return target.Found{}, fmt.Errorf("encode manifest: %w", err)
		}
		done, _, err := a.send(ctx, d, &api.Request{
			Verb: api.VerbPatch, PatchType: types.ApplyPatchType, FieldManager: a.manager(session.FieldManager), Force: a.ForceConflicts, Body: body,
		})
		return done, err
	}
	modified, err := Annotated(d.Content)
	if err != nil {
		return target.Found{}, err
	}
	done, _, err := a.merge(ctx, d, modified)
	return done, err
}

// unified renders the difference as `diff -u -N` would, "" if there is none. The note of the last
// applied manifest would repeat every line, so it is left out.
func unified(d manifest.Document, live, next map[string]any) (string, error) {
	name := fmt.Sprintf("%s.%s.%s.%s", strings.ReplaceAll(d.Kind.GroupVersion().String(), "/", "."), d.Kind.Kind, d.Object.GetNamespace(), d.Object.GetName())
	from, err := render(live)
	if err != nil {
		return "", err
	}
	to, err := render(next)
	if err != nil {
		return "", err
	}
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: difflib.SplitLines(from), B: difflib.SplitLines(to), FromFile: "LIVE/" + name, ToFile: "MERGED/" + name, Context: 3,
	})
	if err != nil || text == "" {
		return "", err
	}
	return fmt.Sprintf("diff -u -N LIVE/%s MERGED/%s\n%s", name, name, text), nil
}

func render(content map[string]any) (string, error) {
	if content == nil {
		return "", nil
	}
	unstructured.RemoveNestedField(content, "metadata", "annotations", AnnotationLastApplied)
	unstructured.RemoveNestedField(content, "metadata", "resourceVersion")
	b, err := yaml.Marshal(content)
	if err != nil {
		return "", fmt.Errorf("render object: %w", err)
	}
	return string(b), nil
}
