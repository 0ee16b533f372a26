package rollout

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/output"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Undo is `skerry rollout undo`.
type Undo struct {
	objects
	ToRevision int64          `help:"Revision to go back to; 0 is the one before." default:"0" placeholder:"N"`
	DryRun     session.DryRun `help:"client: only say; server: send without storing." placeholder:"MODE"`
}

// Run implements the command.
func (c *Undo) Run(ctx context.Context, s *session.Session) error {
	return c.each(ctx, s, func(client *api.Client, it target.Item) error {
		return c.undo(ctx, s, client, it)
	})
}

func (c *Undo) undo(ctx context.Context, s *session.Session, client *api.Client, it target.Item) error {
	ref := it.Ref(s.Namespace())
	entries, err := fetchHistory(ctx, client, it.Kind, ref)
	if err != nil {
		return err
	}
	label := target.Label(it.Kind, string(it.Name))
	e, err := Pick(entries, c.ToRevision)
	if err != nil {
		return fmt.Errorf("%s: %w", label, err)
	}
	said := "rolled back"
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		var err error
		said, err = c.write(ctx, client, it.Kind, ref, e)
		return err
	})
	if err != nil {
		return err
	}
	s.Printf("%s %s%s\n", label, said, c.DryRun.Suffix())
	return nil
}

// write stores what e says, and returns the words for what happened.
func (c *Undo) write(ctx context.Context, client *api.Client, kind *schemas.Kind, ref schemas.Ref, e Entry) (string, error) {
	req := &api.Request{Resource: ref.Resource, Namespace: ref.Namespace, Name: ref.Name, DryRun: c.DryRun == session.DryRunServer}
	live, err := client.Get(ctx, ref)
	var content map[string]any
	switch {
	case apierrors.IsNotFound(err):
		req.Verb, content = api.VerbCreate, recreated(e.Content)
	case err != nil:
		return "", err
	default:
		now, err := output.Content(target.Found{Kind: kind, Object: live}, true)
		if err != nil {
			return "", err
		}
		if paused, _, _ := unstructured.NestedBool(now, "spec", "paused"); paused {
			return "", fmt.Errorf("you cannot rollback a paused deployment; resume it first with 'skerry rollout resume deployment/%s' and try again", ref.Name)
		}
		content = restored(kind, now, e.Content)
		if reflect.DeepEqual(content, now) {
			return fmt.Sprintf("skipped rollback (current template already matches revision %d)", e.Number), nil
		}
		req.Verb = api.VerbUpdate
	}
	if c.DryRun == session.DryRunClient {
		return "rolled back", nil
	}
	return "rolled back", session.Send(ctx, client, req, content)
}

// keptAnnotations are the live object's own: they describe it, not a revision.
var keptAnnotations = []string{
	"kubectl.kubernetes.io/last-applied-configuration",
	annotationRevision,
	"deployment.kubernetes.io/revision-history",
	"deployment.kubernetes.io/desired-replicas",
	"deployment.kubernetes.io/max-replicas",
}

// restored is now with what a revision had: a workload's template and annotations, other
// kinds' whole payload. now is not changed.
func restored(kind *schemas.Kind, now, old map[string]any) map[string]any {
	out := (&unstructured.Unstructured{Object: now}).DeepCopy()
	if kind.Resource == schemas.Deployments {
		if reflect.DeepEqual(template(now), template(old)) {
			return now
		}
		_ = unstructured.SetNestedField(out.Object, copied(template(old)), "spec", "template")
		out.SetAnnotations(mixAnnotations(out.GetAnnotations(), (&unstructured.Unstructured{Object: old}).GetAnnotations()))
		return out.Object
	}
	for k := range payload(now) {
		delete(out.Object, k)
	}
	for k, v := range payload(old) {
		out.Object[k] = copied(v)
	}
	if node, placed, _ := unstructured.NestedString(now, "spec", "nodeName"); placed && kind.Resource == schemas.Pods {
		_ = unstructured.SetNestedField(out.Object, node, "spec", "nodeName") // no revision's: the scheduler has placed it
	}
	return out.Object
}

func copied(v any) any {
	return (&unstructured.Unstructured{Object: map[string]any{"v": v}}).DeepCopy().Object["v"]
}

func mixAnnotations(now, old map[string]string) map[string]string {
	mixed := map[string]string{}
	for k, v := range old {
		mixed[k] = v
	}
	for _, k := range keptAnnotations {
		delete(mixed, k)
		if v, ok := now[k]; ok {
			mixed[k] = v
		}
	}
	if len(mixed) == 0 {
		return nil
	}
	return mixed
}

// recreated is a deleted object's last state as one can create it anew.
func recreated(old map[string]any) map[string]any {
	u := (&unstructured.Unstructured{Object: old}).DeepCopy()
	for _, f := range []string{"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "finalizers", "selfLink"} {
		unstructured.RemoveNestedField(u.Object, "metadata", f)
	}
	delete(u.Object, "status")
	return u.Object
}

// fetchHistory reads an object's history; one that never existed is NotFound.
func fetchHistory(ctx context.Context, client *api.Client, kind *schemas.Kind, ref schemas.Ref) ([]Entry, error) {
	kept, err := client.History(ctx, ref)
	if err != nil {
		return nil, err
	}
	entries, err := History(kind, kept)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 && len(kept) == 0 {
		if _, err := client.Get(ctx, ref); err != nil {
			return nil, err
		}
		return nil, errors.New("no rollout history found")
	}
	return entries, nil
}
