package api

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

// pageSize is how many objects one reply of a list holds.
const pageSize = 500

// Get returns the object.
func (c *Client) Get(ctx context.Context, ref schemas.Ref) (schemas.Object, error) {
	return c.object(ctx, about(VerbGet, ref))
}

// Create creates obj and returns it as stored.
func (c *Client) Create(ctx context.Context, r schemas.Resource, obj schemas.Object) (schemas.Object, error) {
	return c.send(ctx, about(VerbCreate, schemas.RefOf(r, obj)), obj)
}

// Update replaces obj (at its resourceVersion if set); subresource "", "status" or "ephemeralcontainers".
func (c *Client) Update(ctx context.Context, r schemas.Resource, obj schemas.Object, subresource string) (schemas.Object, error) {
	req := about(VerbUpdate, schemas.RefOf(r, obj))
	req.Subresource = subresource
	return c.send(ctx, req, obj)
}

// Patch patches the object; subresource "", "status" or "ephemeralcontainers".
func (c *Client) Patch(ctx context.Context, ref schemas.Ref, pt types.PatchType, patch []byte, subresource string) (schemas.Object, error) {
	req := about(VerbPatch, ref)
	req.Subresource, req.PatchType, req.Body = subresource, pt, patch
	return c.object(ctx, req)
}

// Delete deletes the object.
func (c *Client) Delete(ctx context.Context, ref schemas.Ref, o metav1.DeleteOptions) error {
	req := about(VerbDelete, ref)
	req.Delete = &o
	_, err := c.Do(ctx, req)
	return err
}

// List returns the objects of r that o selects, paging through all of them, and
// the list's resourceVersion. o.Limit is the size of a page.
func (c *Client) List(ctx context.Context, r schemas.Resource, ns schemas.Namespace, o metav1.ListOptions) ([]schemas.Object, string, error) {
	if o.Limit == 0 {
		o.Limit = pageSize
	}
	objs, version, err := c.pages(ctx, r, ns, o)
	if apierrors.IsResourceExpired(err) && o.Continue == "" {
		// The first page's version is too old for the next: take all at once.
		o.Limit = 0
		return c.pages(ctx, r, ns, o)
	}
	return objs, version, err
}

func (c *Client) pages(ctx context.Context, r schemas.Resource, ns schemas.Namespace, o metav1.ListOptions) ([]schemas.Object, string, error) {
	var all []schemas.Object
	for {
		page := o
		reply, err := c.Do(ctx, &Request{Verb: VerbList, Resource: r, Namespace: ns, List: &page})
		if err != nil {
			return nil, "", err
		}
		objs, meta, err := decodeList(c.table, r, reply.Body)
		if err != nil {
			return nil, "", err
		}
		all = append(all, objs...)
		if meta.Continue == "" || meta.Continue == o.Continue {
			return all, meta.ResourceVersion, nil
		}
		o.Continue = meta.Continue
		// A continue token says the version itself.
		o.ResourceVersion, o.ResourceVersionMatch = "", ""
	}
}

// History returns the kept revisions of an object, oldest first, the current one last.
func (c *Client) History(ctx context.Context, ref schemas.Ref) ([]Revision, error) {
	reply, err := c.Do(ctx, about(VerbHistory, ref))
	if err != nil {
		return nil, err
	}
	var revisions []Revision
	if err := json.Unmarshal(reply.Body, &revisions); err != nil {
		return nil, fmt.Errorf("decode history of %s: %w", ref, err)
	}
	return revisions, nil
}

func about(v Verb, ref schemas.Ref) *Request {
	return &Request{Verb: v, Resource: ref.Resource, Namespace: ref.Namespace, Name: ref.Name}
}

func (c *Client) send(ctx context.Context, req *Request, obj schemas.Object) (schemas.Object, error) {
	var err error
	if req.Body, err = encodeObject(c.table, req.Resource, obj); err != nil {
		return nil, err
	}
	return c.object(ctx, req)
}

func (c *Client) object(ctx context.Context, req *Request) (schemas.Object, error) {
	reply, err := c.Do(ctx, req)
	if err != nil {
		return nil, err
	}
	return decodeObject(c.table, req.Resource, reply.Body)
}
