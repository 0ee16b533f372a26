//go:build linux

package up

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
)

// errReady ends a watch when the node is ready.
var errReady = errors.New("ready")

// awaitAPI returns when the apiserver answers and has the namespace that everything
// goes into by default.
func awaitAPI(ctx context.Context, conn *bus.Conn) error {
	client := api.NewClient(conn, kinds.Table())
	return awaitObject(ctx, client, schemas.Ref{Resource: schemas.Namespaces, Name: metav1.NamespaceDefault}, exists)
}

// awaitNode returns when the node is ready.
func awaitNode(ctx context.Context, conn *bus.Conn, node schemas.NodeName) error {
	client := api.NewClient(conn, kinds.Table())
	return awaitObject(ctx, client, schemas.Ref{Resource: schemas.Nodes, Name: schemas.Name(node)}, nodeReady)
}

func exists(schemas.Object) bool { return true }

func nodeReady(obj schemas.Object) bool {
	n, ok := obj.(*corev1.Node)
	if !ok {
		return false
	}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// retryAfter is the pause after a failed try: what fails while a cluster starts is
// done within milliseconds.
const retryAfter = 20 * time.Millisecond

// awaitObject watches the collection, from a list on, until ref is there and right.
func awaitObject(ctx context.Context, client *api.Client, ref schemas.Ref, right func(schemas.Object) bool) error {
	for {
		err := watchFor(ctx, client, ref, right)
		switch {
		case errors.Is(err, errReady):
			return nil
		case ctx.Err() != nil:
			return lastWord(err)
		}
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
		}
	}
}

// lastWord is what stood in the way when time ran out, if anything did.
func lastWord(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return errors.New("the node is not ready; its log says why")
	}
	return err
}

func watchFor(ctx context.Context, client *api.Client, ref schemas.Ref, right func(schemas.Object) bool) error {
	o := metav1.ListOptions{FieldSelector: "metadata.name=" + string(ref.Name)}
	objs, rv, err := client.List(ctx, ref.Resource, ref.Namespace, o)
	if err != nil {
		return err
	}
	for _, obj := range objs {
		if right(obj) {
			return errReady
		}
	}
	o.ResourceVersion = rv
	err = client.Watch(ctx, ref.Resource, ref.Namespace, o, func(event string, obj schemas.Object) error {
		if (event == "ADDED" || event == "MODIFIED") && right(obj) {
			return errReady
		}
		return nil
	})
	if apierrors.IsResourceExpired(err) {
		return nil
	}
	return err
}
