package registry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/admit"
	"github.com/skerry/skerry/services/apiserver/codec"
)

// edit computes what becomes of an object: the same pointer for no change, nil to
// remove it. It must not change old.
type edit func(old schemas.Object) (schemas.Object, error)

// change replaces the object that r names by what f makes of it. On a conflict it
// starts over with the newer object; f is what refuses that, if the client named a
// resourceVersion. It returns the object as it is afterwards, with the last one for
// a removal (and removed true).
func (g *Registry) change(ctx context.Context, r *api.Request, k *schemas.Kind, f edit) (out schemas.Object, removed bool, err error) {
	b := g.backend(k)
	ref := r.Ref()
	if err := g.freshFor(ctx, k); err != nil {
		return nil, false, err
	}
	for attempt := 0; ; attempt++ {
		old, rev, ok := b.Read(ref)
		next, err := apply(old, ok, f, k, ref)
		if err != nil || next == old || r.DryRun {
			// Nothing will be compared and swapped, so the answer must rest on a fresh copy.
			if err := b.Fresh(ctx); err != nil {
				return nil, false, err
			}
			if again, _, still := b.Read(ref); again != old || still != ok {
				continue
			}
			return orLast(next, old), next == nil, err
		}
		out, err := b.Put(ctx, Write{Kind: k, Ref: ref, Old: old, Revision: rev, New: next, By: g.by(r)})
		if err == nil {
			return orLast(out, old), next == nil, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return nil, false, storeError(r, err)
		}
		if err := b.Fresh(ctx); err != nil {
			return nil, false, err
		}
		if err := spread(ctx, attempt); err != nil {
			return nil, false, storeError(r, err)
		}
	}
}

func apply(old schemas.Object, ok bool, f edit, k *schemas.Kind, ref schemas.Ref) (schemas.Object, error) {
	if !ok {
		return nil, apierrors.NewNotFound(admit.GroupResource(k.Resource), string(ref.Name))
	}
	return f(old)
}

func orLast(out, old schemas.Object) schemas.Object {
	if out == nil {
		return old
	}
	return out
}

func (g *Registry) by(r *api.Request) codec.Writer {
	return codec.Writer{User: string(r.User), Time: g.Now().UTC().Truncate(time.Second)}
}

// spread spreads writers that contend for one object; the first time it does not wait.
func spread(ctx context.Context, attempt int) error {
	if attempt == 0 {
		return ctx.Err()
	}
	return pause.For(ctx, rand.N(time.Millisecond<<min(attempt, 6)))
}

// storeError turns a failed write into what the client is told.
func storeError(r *api.Request, err error) error {
	var known apierrors.APIStatus
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, store.ErrTooLarge):
		return apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("%s is larger than can be stored: %v", r.Ref(), err))
	case errors.Is(err, store.ErrUnknown):
		return apierrors.NewTimeoutError(fmt.Sprintf("%s %s: it cannot be told whether this was stored; read it again: %v", r.Verb, r.Ref(), err), 1)
	case errors.Is(err, bus.ErrUnreachable):
		return apierrors.NewServiceUnavailable(fmt.Sprintf("%s %s: %v", r.Verb, r.Ref(), err))
	}
	return fmt.Errorf("%s %s: %w", r.Verb, r.Ref(), err)
}
