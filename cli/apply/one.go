package apply

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
)

// clientManager is who a client-side apply writes as.
const clientManager = "skerry-client-side-apply"

// maxConflicts is how often a patch is computed anew because somebody else wrote.
const maxConflicts = 5

// apply applies one document and reports it.
func (a *applier) apply(ctx context.Context, d manifest.Document) (target.Found, error) {
	if a.ServerSide {
		return a.serverSide(ctx, d)
	}
	modified, err := Annotated(d.Content)
	if err != nil {
		return target.Found{}, fmt.Errorf("%s: %w", d.Where(), err)
	}
	for tries := 0; ; tries++ {
		done, verb, err := a.merge(ctx, d, modified)
		if apierrors.IsConflict(err) && tries < maxConflicts {
			continue
		}
		if err != nil {
			return target.Found{}, failure.FromFile(err, "applying", d.File)
		}
		return done, a.report(done, verb)
	}
}

// merge creates the object or patches it by a three-way merge.
func (a *applier) merge(ctx context.Context, d manifest.Document, modified map[string]any) (target.Found, string, error) {
	obj, err := a.client.Get(ctx, d.Ref())
	if apierrors.IsNotFound(err) {
		return a.create(ctx, d, modified)
	}
	if err != nil {
		return target.Found{}, "", err
	}
	live := target.Found{Kind: d.Kind, Object: obj}
	current, err := output.Content(live, true)
	if err != nil {
		return live, "", err
	}
	if _, ok := obj.GetAnnotations()[AnnotationLastApplied]; !ok && a.DryRun == session.DryRunNone {
		a.s.Warnf("resource %s is missing the %s annotation which is required by skerry apply. skerry apply should only be used on resources created declaratively by either skerry create --save-config or skerry apply. The missing annotation will be patched automatically.", d.Label(), AnnotationLastApplied)
	}
	patch, err := threeWay(d.Kind, modified, current)
	if err != nil {
		return live, "", err
	}
	if string(patch) == "{}" {
		return live, "unchanged", nil
	}
	if a.DryRun == session.DryRunClient {
		return d.Found(), "configured", nil
	}
	done, _, err := a.send(ctx, d, &api.Request{Verb: api.VerbPatch, PatchType: patchType(d.Kind), FieldManager: a.manager(clientManager), Body: patch})
	return done, "configured", err
}

func (a *applier) create(ctx context.Context, d manifest.Document, modified map[string]any) (target.Found, string, error) {
	if a.DryRun == session.DryRunClient {
		return d.Found(), "created", nil
	}
	body, err := json.Marshal(modified)
	if err != nil {
		return d.Found(), "", fmt.Errorf("encode manifest: %w", err)
	}
	done, _, err := a.send(ctx, d, &api.Request{Verb: api.VerbCreate, FieldManager: a.manager(clientManager), FieldValidation: "Strict", Body: body})
	return done, "created", err
}

func (a *applier) serverSide(ctx context.Context, d manifest.Document) (target.Found, error) {
	body, err := json.Marshal(d.Content)
	if err != nil {
		return target.Found{}, fmt.Errorf("encode manifest: %w", err)
	}
	done, _, err := a.send(ctx, d, &api.Request{
		Verb: api.VerbPatch, PatchType: types.ApplyPatchType, FieldManager: a.manager(session.FieldManager),
		FieldValidation: "Strict", Force: a.ForceConflicts, Body: body,
	})
	if apierrors.IsConflict(err) && !a.ForceConflicts {
		err = fmt.Errorf("%w\nTake the fields over with --force-conflicts, or leave them out of %s", err, d.File)
	}
	if err != nil {
		return done, failure.FromFile(err, "applying", d.File)
	}
	return done, a.report(done, "serverside-applied")
}

func (a *applier) manager(otherwise string) string {
	if a.FieldManager != "" {
		return a.FieldManager
	}
	return otherwise
}
