package registry

import (
	"context"
	"errors"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/admit"
	"github.com/skerry/skerry/services/apiserver/codec"
)

func (g *Registry) get(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	obj, err := g.read(ctx, r, k)
	if err != nil {
		return nil, err
	}
	return reply(obj, nil, false)
}

// read returns the object that r names, as new as r wants it.
func (g *Registry) read(ctx context.Context, r *api.Request, k *schemas.Kind) (schemas.Object, error) {
	b := g.backend(k)
	rv := ""
	if r.List != nil {
		rv = r.List.ResourceVersion
	}
	if err := wait(ctx, b, rv); err != nil {
		return nil, err
	}
	obj, ok := b.Get(r.Ref())
	if !ok {
		return nil, apierrors.NewNotFound(admit.GroupResource(k.Resource), string(r.Name))
	}
	return obj, nil
}

// wait makes b as new as rv asks for: "" the newest, "0" whatever there is, else at
// least that.
func wait(ctx context.Context, b Backend, rv string) error {
	switch rv {
	case "":
		return b.Fresh(ctx)
	case "0":
		return nil
	}
	rev, err := Revision(rv)
	if err != nil {
		return err
	}
	return b.Until(ctx, rev)
}

// Revision parses a resourceVersion that a client sent.
func Revision(rv string) (store.Revision, error) {
	n, err := strconv.ParseUint(rv, 10, 64)
	if err != nil {
		return 0, apierrors.NewBadRequest("invalid resource version " + strconv.Quote(rv))
	}
	return store.Revision(n), nil
}

// history lists the generations of an object, of a deleted one too.
func (g *Registry) history(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	if !k.Revisioned {
		return nil, apierrors.NewBadRequest("no revisions are kept of " + k.Resource.String())
	}
	d, ok := g.State.Writer.(*Desired)
	if !ok {
		return nil, errors.New("the state keeps no history")
	}
	current, err := d.State.Get(ctx, bus.DesiredKey(r.Ref()))
	if errors.Is(err, store.ErrNotFound) {
		current, err = store.Entry{}, nil
	}
	if err != nil {
		return nil, storeError(r, err)
	}
	revisions, err := g.History.List(ctx, r.Ref(), current)
	if err != nil {
		return nil, storeError(r, err)
	}
	if len(revisions) == 0 {
		return nil, apierrors.NewNotFound(admit.GroupResource(k.Resource), string(r.Name))
	}
	body, err := codec.Encode(revisions)
	return &api.Reply{Body: body}, err
}

const (
	// ListedAtOnce is of how many pods agents' lists may be that run at a time: of eight full nodes, or of
	// any number of new ones. The bus reads every block of the stream that holds one of the keys, and answers nothing
	// else to this apiserver meanwhile.
	ListedAtOnce = 8 * mostListed
	// mostListed is what one list counts for at most.
	mostListed = 256
	// listWait is how long a list waits for its turn.
	listWait = 2 * time.Second
)

// KeysOf answers a state request: the entries under r's filters, or whether there are
// newer ones.
func (g *Registry) KeysOf(ctx context.Context, r *api.Request) (*api.Reply, error) {
	if asker, ok := g.Keys.(store.Asker); ok && r.Since > 0 {
		newer, last, err := g.newer(ctx, r, asker)
		if err != nil {
			return nil, err
		}
		body, err := api.EncodeNewer(newer, last)
		return &api.Reply{Body: body}, err
	}
	if g.Lists != nil {
		waiting, cancel := context.WithTimeout(ctx, listWait)
		defer cancel()
		size := g.listed(r)
		if err := g.Lists.Acquire(waiting, size); err != nil {
			return nil, apierrors.NewTooManyRequests("too many agents list their keys", 1)
		}
		defer g.Lists.Release(size)
	}
	entries, rev, err := g.Keys.List(ctx, r.Filters...)
	if err != nil {
		return nil, storeError(r, err)
	}
	body, err := api.EncodeState(entries, rev)
	return &api.Reply{Body: body}, err
}

// listed is of how many pods a list is, by the copy; what is not known counts for much.
func (g *Registry) listed(r *api.Request) int64 {
	node, ok := r.User.Node()
	if !ok || g.PodsOn == nil {
		return mostListed
	}
	return int64(min(1+g.PodsOn(node), mostListed))
}

// newer tells what KeysOf is asked. What an agent asks of its work orders the copy knows, and for longer than
// the bucket, which drops the marks of deleted keys and loads a block of its stream to look; only what
// was before the copy began the bucket is asked.
func (g *Registry) newer(ctx context.Context, r *api.Request, asker store.Asker) (newer, last store.Revision, err error) {
	if node, ok := r.User.Node(); ok && g.Touched != nil && ordersOnly(node, r.Filters) {
		if err := g.State.Fresh(ctx); err != nil {
			return 0, 0, err
		}
		if newer, last, ok := g.Touched(node, r.Since); ok {
			return newer, last, nil
		}
	}
	if newer, last, err = asker.Newer(ctx, r.Since, r.Filters...); err != nil {
		return 0, 0, storeError(r, err)
	}
	return newer, last, nil
}

// ordersOnly tells whether filters match work orders of node and its Node, and nothing else.
func ordersOnly(node schemas.NodeName, filters []string) bool {
	for _, f := range filters {
		if f != bus.AssignedFilter(node) && (f == "" || f != bus.OwnNodeFilter(node)) {
			return false
		}
	}
	return true
}
