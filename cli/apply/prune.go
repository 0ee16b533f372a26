package apply

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// prune deletes what was applied before (it has the annotation), is selected, and is
// in none of the documents. Like kubectl it looks into the namespaces that the
// documents are in, and never at objects that a controller owns.
func (a *applier) prune(ctx context.Context, docs []manifest.Document) error {
	keep := map[schemas.Ref]bool{}
	var namespaces []schemas.Namespace
	for _, d := range docs {
		ref := d.Ref()
		keep[ref] = true
		if ref.Namespace != "" && !slices.Contains(namespaces, ref.Namespace) {
			namespaces = append(namespaces, ref.Namespace)
		}
	}
	for _, k := range a.s.Table.All() {
		if k.Store != schemas.StoreState || !k.Namespaced {
			continue
		}
		for _, ns := range namespaces {
			if err := a.pruneKind(ctx, k, ns, keep); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *applier) pruneKind(ctx context.Context, k *schemas.Kind, ns schemas.Namespace, keep map[schemas.Ref]bool) error {
	objs, _, err := target.List(ctx, a.client, k, target.Query{Namespace: ns, Selector: a.Selector})
	if err != nil {
		return err
	}
	for _, o := range objs {
		found := target.Found{Kind: k, Object: o}
		_, applied := o.GetAnnotations()[AnnotationLastApplied]
		if !applied || keep[found.Ref()] || metav1.GetControllerOf(o) != nil {
			continue
		}
		if a.DryRun != session.DryRunClient {
			options := metav1.DeleteOptions{
				PropagationPolicy: ptr.To(metav1.DeletePropagationBackground),
				Preconditions:     &metav1.Preconditions{UID: ptr.To(types.UID(o.GetUID()))},
			}
			if a.DryRun == session.DryRunServer {
				options.DryRun = []string{metav1.DryRunAll}
			}
			if err := a.client.Delete(ctx, found.Ref(), options); err != nil {
				return err
			}
		}
		if err := a.report(found, "pruned"); err != nil {
			return err
		}
	}
	return nil
}
