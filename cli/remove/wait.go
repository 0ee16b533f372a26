package remove

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// waitGone waits until none of the objects exists any more; an object of the same name
// with another uid is another object.
func waitGone(ctx context.Context, client *api.Client, gone []target.Found) error {
	for _, o := range gone {
		if err := Gone(ctx, client, o); err != nil {
			return err
		}
	}
	return nil
}

// Gone waits until o no longer exists.
func Gone(ctx context.Context, client *api.Client, o target.Found) error {
	ref := o.Ref()
	for {
		now, err := client.Get(ctx, ref)
		if apierrors.IsNotFound(err) || err == nil && now.GetUID() != o.Object.GetUID() {
			return nil
		}
		if err != nil {
			return err
		}
		ended, err := watchDeletion(ctx, client, ref, now)
		if ended || err != nil {
			return err
		}
	}
}

// errGone ends a watch at the deletion.
type errGone struct{}

func (errGone) Error() string { return "deleted" }

// watchDeletion follows the object until it is deleted (true) or the watch ends.
func watchDeletion(ctx context.Context, client *api.Client, ref schemas.Ref, from schemas.Object) (bool, error) {
	o := metav1.ListOptions{FieldSelector: "metadata.name=" + string(ref.Name), ResourceVersion: from.GetResourceVersion()}
	deleted := false
	err := client.Watch(ctx, ref.Resource, ref.Namespace, o, func(event string, obj schemas.Object) error {
		if event == "DELETED" || event != "BOOKMARK" && obj.GetUID() != from.GetUID() {
			deleted = true
			return errGone{}
		}
		return nil
	})
	switch {
	case deleted:
		return true, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case apierrors.IsResourceExpired(err), apierrors.IsGone(err):
		return false, nil
	}
	return false, err
}
