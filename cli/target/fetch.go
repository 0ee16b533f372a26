package target

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// Query narrows what is fetched.
type Query struct {
	// Namespace of the objects; "" for all of them.
	Namespace      schemas.Namespace
	Selector       string
	FieldSelector  string
	IgnoreNotFound bool
}

// Found is one object with its kind.
type Found struct {
	Kind   *schemas.Kind
	Object schemas.Object
}

// Ref names the found object.
func (f Found) Ref() schemas.Ref { return schemas.RefOf(f.Kind.Resource, f.Object) }

// Label is the found object's "kind/name".
func (f Found) Label() string { return Label(f.Kind, f.Object.GetName()) }

// Fetch gets what w asks for. Objects that are not there are errors, joined; the
// others are returned all the same.
func Fetch(ctx context.Context, c *api.Client, w Want, q Query) ([]Found, error) {
	var found []Found
	var errs []error
	for _, it := range w.Items {
		ref := it.Ref(q.Namespace)
		if it.Kind.Namespaced && ref.Namespace == "" {
			return nil, errors.New("a resource cannot be retrieved by name across all namespaces")
		}
		obj, err := c.Get(ctx, ref)
		switch {
		case err == nil:
			found = append(found, Found{it.Kind, obj})
		case apierrors.IsNotFound(err) && q.IgnoreNotFound:
		case apierrors.IsNotFound(err):
			errs = append(errs, err)
		default:
			return found, err
		}
	}
	for _, k := range w.Kinds {
		objs, _, err := List(ctx, c, k, q)
		if err != nil {
			return found, err
		}
		for _, o := range objs {
			found = append(found, Found{k, o})
		}
	}
	return found, errors.Join(errs...)
}

// List lists the objects of one kind, and the list's resourceVersion.
func List(ctx context.Context, c *api.Client, k *schemas.Kind, q Query) ([]schemas.Object, string, error) {
	ns := q.Namespace
	if !k.Namespaced {
		ns = ""
	}
	objs, rv, err := c.List(ctx, k.Resource, ns, metav1.ListOptions{LabelSelector: q.Selector, FieldSelector: q.FieldSelector})
	if err != nil {
		return nil, "", err
	}
	return objs, rv, nil
}

// One fetches the single object that the arguments name.
func One(ctx context.Context, c *api.Client, w Want, ns schemas.Namespace) (Found, error) {
	if len(w.Items) != 1 {
		return Found{}, fmt.Errorf("exactly one object must be named, as type/name")
	}
	found, err := Fetch(ctx, c, w, Query{Namespace: ns})
	if err != nil {
		return Found{}, err
	}
	return found[0], nil
}
