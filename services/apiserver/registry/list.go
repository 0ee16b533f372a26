package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/page"
	"github.com/skerry/skerry/services/apiserver/selector"
)

func (g *Registry) list(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	o := r.List
	if o == nil {
		o = &metav1.ListOptions{}
	}
	s, err := selector.Parse(k, o)
	if err != nil {
		return nil, err
	}
	all, rev, after, err := g.moment(ctx, g.backend(k), r, o)
	if err != nil {
		return nil, err
	}
	var keep func(obj schemas.Object) bool
	if !s.Everything() || r.Name != "" {
		keep = func(obj schemas.Object) bool {
			return s.Matches(obj) && (r.Name == "" || obj.GetName() == string(r.Name))
		}
	}
	objs, more := page.Cut(all, after, o.Limit, keep)
	meta := metav1.ListMeta{ResourceVersion: strconv.FormatUint(uint64(rev), 10)}
	if more > 0 {
		meta.Continue = page.Token{Revision: int64(rev), After: page.Key(objs[len(objs)-1])}.Encode()
		if keep == nil {
			meta.RemainingItemCount = &more
		}
	}
	if r.Table != nil {
		body, err := encodeTable(k, meta, objs, *r.Table, g.Now())
		return &api.Reply{Body: body}, err
	}
	head, err := json.Marshal(meta)
	if err != nil {
		return nil, fmt.Errorf("encode list: %w", err)
	}
	render := func() ([]byte, error) { return encodeList(k, head, objs, &g.texts) }
	if r.Gzip {
		return g.pages.get(k.Resource, string(head), objs, render)
	}
	body, err := render()
	return &api.Reply{Body: body}, err
}

// moment lists what r asks for: the objects, the revision they are of, and the key
// that the page begins after.
func (g *Registry) moment(ctx context.Context, b Backend, r *api.Request, o *metav1.ListOptions) ([]schemas.Object, store.Revision, string, error) {
	if o.Continue != "" {
		return g.next(ctx, b, r, o)
	}
	match, err := checkMatch(o)
	if err != nil {
		return nil, 0, "", err
	}
	if err := wait(ctx, b, o.ResourceVersion); err != nil {
		return nil, 0, "", err
	}
	if match == metav1.ResourceVersionMatchExact {
		rev, err := Revision(o.ResourceVersion)
		if err != nil {
			return nil, 0, "", err
		}
		objs, err := b.At(r.Resource, r.Namespace, rev)
		return objs, rev, "", err
	}
	objs, rev, err := b.Now(r.Resource, r.Namespace)
	return objs, rev, "", err
}

// next goes on where the page before ended.
func (g *Registry) next(ctx context.Context, b Backend, r *api.Request, o *metav1.ListOptions) ([]schemas.Object, store.Revision, string, error) {
	if o.ResourceVersion != "" && o.ResourceVersion != "0" {
		return nil, 0, "", apierrors.NewBadRequest("specifying resource version is not allowed when using continue")
	}
	t, err := page.Decode(o.Continue)
	if err != nil {
		return nil, 0, "", err
	}
	if t.Revision == page.Inconsistent {
		if err := b.Fresh(ctx); err != nil {
			return nil, 0, "", err
		}
		objs, rev, err := b.Now(r.Resource, r.Namespace)
		return objs, rev, t.After, err
	}
	// Another replica may have answered the page before.
	if err := b.Until(ctx, store.Revision(t.Revision)); err != nil {
		return nil, 0, "", err
	}
	objs, err := b.At(r.Resource, r.Namespace, store.Revision(t.Revision))
	if apierrors.IsResourceExpired(err) {
		err = page.Expired(t)
	}
	return objs, store.Revision(t.Revision), t.After, err
}

// checkMatch returns how the resourceVersion is meant.
func checkMatch(o *metav1.ListOptions) (metav1.ResourceVersionMatch, error) {
	rv, match := o.ResourceVersion, o.ResourceVersionMatch
	if match == "" && o.Limit > 0 && rv != "" && rv != "0" {
		return metav1.ResourceVersionMatchExact, nil
	}
	switch {
	case match == "":
	case match != metav1.ResourceVersionMatchExact && match != metav1.ResourceVersionMatchNotOlderThan:
		return "", apierrors.NewBadRequest(fmt.Sprintf("resourceVersionMatch: Unsupported value: %q: supported values: \"Exact\", \"NotOlderThan\"", match))
	case rv == "":
		return "", apierrors.NewBadRequest("resourceVersionMatch is forbidden unless resourceVersion is provided")
	case match == metav1.ResourceVersionMatchExact && rv == "0":
		return "", apierrors.NewBadRequest("resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\"")
	}
	return match, nil
}

// encodeList renders a list of k under head, its metadata: texts has those of its items.
func encodeList(k *schemas.Kind, head []byte, objs []schemas.Object, known *texts) ([]byte, error) {
	items, size, err := known.all(k.Resource, objs)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, len(head)+size+len(objs)+256)
	b = fmt.Appendf(b, `{"kind":%q,"apiVersion":%q,"metadata":%s,"items":[`, k.Kind+"List", k.GroupVersion().String(), head)
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, item...)
	}
	return append(b, "]}"...), nil
}
