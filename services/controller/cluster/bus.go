package cluster

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/join"
)

// patience bounds one write and the wait for the view to show it.
const patience = 30 * time.Second

// Bus implements Writer, Concluder and Truth over the bus.
type Bus struct {
	View   *view.View
	Client *api.Client
	Gather *api.Gatherer // of Client's requests
	State  *store.Store
	Table  *schemas.Table
}

// Create implements Writer.
func (b *Bus) Create(ctx context.Context, r schemas.Resource, obj schemas.Object) (schemas.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := b.Client.Create(ctx, r, obj)
	if err != nil {
		return nil, err
	}
	return out, b.await(ctx, out)
}

// Make implements Writer.
func (b *Bus) Make(ctx context.Context, r schemas.Resource, objs ...schemas.Object) []error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	made, errs := b.Gather.Create(ctx, r, objs...)
	var last store.Revision
	for i := range objs {
		if errs[i] != nil {
			continue
		}
		rev, err := strconv.ParseUint(made[i].ResourceVersion, 10, 64)
		if err != nil {
			errs[i] = b.Refresh(ctx)
		}
		last = max(last, store.Revision(rev))
	}
	if err := b.View.WaitFor(ctx, last); err != nil {
		for i := range errs {
			errs[i] = cmp.Or(errs[i], err)
		}
	}
	return errs
}

// Update implements Writer.
func (b *Bus) Update(ctx context.Context, r schemas.Resource, obj schemas.Object, subresource string) (schemas.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := b.Client.Update(ctx, r, obj, subresource)
	if err != nil {
		return nil, err
	}
	return out, b.await(ctx, out)
}

// Delete implements Writer.
func (b *Bus) Delete(ctx context.Context, ref schemas.Ref, o metav1.DeleteOptions) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := b.Gather.Delete(ctx, ref, o); err != nil {
		return err
	}
	return b.Refresh(ctx)
}

// DeleteAll implements Writer.
func (b *Bus) DeleteAll(ctx context.Context, r schemas.Resource, ns schemas.Namespace) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := b.Client.Do(ctx, &api.Request{Verb: api.VerbDeleteCollection, Resource: r, Namespace: ns})
	if err != nil {
		return err
	}
	return b.Refresh(ctx)
}

// await waits until the view reflects obj, a reply of the apiserver. A foreground
// deletion may end in an Update's reply without a resourceVersion: then everything is awaited.
func (b *Bus) await(ctx context.Context, obj schemas.Object) error {
	rev, err := strconv.ParseUint(obj.GetResourceVersion(), 10, 64)
	if err != nil {
		return b.Refresh(ctx)
	}
	return b.View.WaitFor(ctx, store.Revision(rev))
}

// Conclude implements Concluder.
func (b *Bus) Conclude(ctx context.Context, ref schemas.Ref, uid types.UID, f func(schemas.Object) schemas.Object) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	kind := b.Table.ByResource(ref.Resource)
	if kind == nil {
		return fmt.Errorf("conclude on %s: not in the table of kinds", ref)
	}
	return b.conclude(ctx, kind, ref, b.View.Entries(ref).Current, uid, f)
}

// ConcludeFresh is Conclude on the stored entry instead of the view's, with check
// called on that entry's revision first: for processes that keep no view.
func (b *Bus) ConcludeFresh(ctx context.Context, ref schemas.Ref, uid types.UID, check func(store.Revision) error, f func(schemas.Object) schemas.Object) error {
	kind := b.Table.ByResource(ref.Resource)
	if kind == nil {
		return fmt.Errorf("conclude on %s: not in the table of kinds", ref)
	}
	entry, err := b.State.Get(ctx, bus.CurrentKey(ref))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("read conclusion on %s: %w", ref, err)
	}
	if err := check(entry.Revision); err != nil {
		return err
	}
	return b.conclude(ctx, kind, ref, entry, uid, f)
}

func (b *Bus) conclude(ctx context.Context, kind *schemas.Kind, ref schemas.Ref, entry store.Entry, uid types.UID, f func(schemas.Object) schemas.Object) error {
	op, err := conclusion(kind, ref, entry, uid, f)
	if err != nil || op == nil {
		return err
	}
	rev, err := b.State.Apply(ctx, *op)
	if err != nil {
		return fmt.Errorf("write conclusion on %s: %w", ref, err)
	}
	if b.View == nil {
		return nil
	}
	return b.View.WaitFor(ctx, rev)
}

// conclusion is the write that replaces entry, or nil if nothing changes. What
// was concluded about an earlier object of the same name counts as nothing.
func conclusion(kind *schemas.Kind, ref schemas.Ref, entry store.Entry, uid types.UID, f func(schemas.Object) schemas.Object) (*store.Op, error) {
	there := !entry.Deleted && len(entry.Value) > 0
	var old schemas.Object
	if there {
		o := kind.New()
		if err := json.Unmarshal(entry.Value, o); err == nil && o.GetUID() == uid {
			old = o
		}
	}
	op := &store.Op{Key: bus.CurrentKey(ref)}
	if there {
		op.Revision = entry.Revision
	}
	next := f(old)
	if next == nil {
		if !there {
			return nil, nil
		}
		return op, nil
	}
	value, err := json.Marshal(join.StatusOnly(kind, next))
	if err != nil {
		return nil, fmt.Errorf("encode conclusion on %s: %w", ref, err)
	}
	if there && bytes.Equal(value, entry.Value) {
		return nil, nil
	}
	op.Value = value
	return op, nil
}

// Forget implements Concluder.
func (b *Bus) Forget(ctx context.Context, o view.Orphan) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := b.State.Delete(ctx, o.Key, o.Revision); err != nil {
		return fmt.Errorf("forget %s: %w", o.Ref, err)
	}
	return nil
}

// UID implements Truth.
func (b *Bus) UID(ctx context.Context, ref schemas.Ref) (types.UID, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	entry, err := b.State.Get(ctx, bus.DesiredKey(ref))
	if errors.Is(err, store.ErrNotFound) || err == nil && (entry.Deleted || len(entry.Value) == 0) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", ref, err)
	}
	var meta metav1.PartialObjectMetadata
	if err := json.Unmarshal(entry.Value, &meta); err != nil {
		return "", fmt.Errorf("decode %s: %w", ref, err)
	}
	return meta.UID, nil
}

// Refresh implements Truth.
func (b *Bus) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rev, err := b.State.Last(ctx)
	if err != nil {
		return fmt.Errorf("read last revision: %w", err)
	}
	return b.View.WaitFor(ctx, rev)
}
