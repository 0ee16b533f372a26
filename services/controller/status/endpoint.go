// Package status lets clients' status writes reach current, which only the
// controller writes, and clears away conclusions about objects that are no more.
//
// Reads: the state bucket's desired, observed and current keys, past every copy.
// Writes: current.<resource>.<namespace>.<name>.
// Triggered by: requests of the apiserver on controller.status, which any replica
// answers; objects' deletion, and a timer.
// Invariant: a status is stored only for an object of its own uid, and never over a
// conclusion that is newer than the resourceVersion that the client named.
package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus"
	wire "github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

const (
	// atOnce is how many requests one replica works on.
	atOnce = 16
	// tries are made against other writers of the same key.
	tries    = 5
	deadline = 20 * time.Second
)

// Endpoint answers status writes.
type Endpoint struct {
	bus   *cluster.Bus
	state *store.Store
	table *schemas.Table
	log   *slog.Logger
}

// NewEndpoint returns an endpoint that needs no view: any replica can serve it.
func NewEndpoint(conn *bus.Conn, table *schemas.Table, log *slog.Logger) *Endpoint {
	s := store.New(conn, bus.BucketState)
	return &Endpoint{bus: &cluster.Bus{State: s, Table: table}, state: s, table: table, log: log}
}

// Serve answers until ctx ends.
func (e *Endpoint) Serve(ctx context.Context, conn *bus.Conn) error {
	return conn.Respond(ctx, bus.StatusSubject, "controller", atOnce, func(ctx context.Context, _ string, data []byte) []byte {
		ctx, cancel := context.WithTimeout(ctx, deadline)
		defer cancel()
		if err := e.Write(ctx, data); err != nil {
			e.log.Debug("status write refused", "error", err)
			return wire.Encode(err)
		}
		return nil
	})
}

// Write stores the status of the object in data, JSON with its kind, metadata and
// status. Errors are Kubernetes Status errors where the client is to blame.
func (e *Endpoint) Write(ctx context.Context, data []byte) error {
	kind, obj, err := e.decode(data)
	if err != nil {
		return err
	}
	ref := schemas.RefOf(kind.Resource, obj)
	uid, err := e.bus.UID(ctx, ref)
	if err != nil {
		return err
	}
	gr := schema.GroupResource{Group: ref.Resource.Group, Resource: ref.Resource.Plural}
	if uid == "" {
		return apierrors.NewNotFound(gr, obj.GetName())
	}
	if obj.GetUID() != "" && obj.GetUID() != uid {
		return apierrors.NewConflict(gr, obj.GetName(), fmt.Errorf("the uid is %s now, not %s", uid, obj.GetUID()))
	}
	obj.SetUID(uid)
	observed, err := e.observed(ctx, kind, ref, obj)
	if err != nil {
		return err
	}
	check := func(rev store.Revision) error {
		named, err := strconv.ParseUint(obj.GetResourceVersion(), 10, 64)
		if err == nil && rev > store.Revision(named) {
			return apierrors.NewConflict(gr, obj.GetName(), errors.New("the object has been modified; please apply your changes to the latest version and try again"))
		}
		return nil
	}
	for range tries {
		err = e.bus.ConcludeFresh(ctx, ref, uid, check, func(current schemas.Object) schemas.Object {
			return conclusion(kind, obj, observed, current)
		})
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return apierrors.NewConflict(gr, obj.GetName(), err)
}

func (e *Endpoint) decode(data []byte) (*schemas.Kind, schemas.Object, error) {
	var meta metav1.TypeMeta
	if err := json.Unmarshal(data, &meta); err != nil {
		return nil, nil, apierrors.NewBadRequest("decode status: " + err.Error())
	}
	kind := e.table.ByGVK(meta.GroupVersionKind())
	if kind == nil {
		return nil, nil, apierrors.NewServiceUnavailable(fmt.Sprintf("this controller does not know %s", meta.GroupVersionKind()))
	}
	if kind.StatusWriter == schemas.StatusNone {
		return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("%s has no status", meta.GroupVersionKind()))
	}
	obj := kind.New()
	if err := json.Unmarshal(data, obj); err != nil {
		return nil, nil, apierrors.NewBadRequest("decode status: " + err.Error())
	}
	return kind, obj, nil
}

// observed reads what the agent reports of a pod or node: only what differs from it
// is a conclusion.
func (e *Endpoint) observed(ctx context.Context, kind *schemas.Kind, ref schemas.Ref, obj schemas.Object) (schemas.Object, error) {
	if kind.StatusWriter != schemas.StatusAgent {
		return nil, nil
	}
	k, ok := observedKey(ref, obj)
	if !ok {
		return nil, nil
	}
	entry, err := e.state.Get(ctx, k)
	if errors.Is(err, store.ErrNotFound) || err == nil && entry.Deleted {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", k, err)
	}
	out := kind.New()
	if err := json.Unmarshal(entry.Value, out); err != nil {
		return nil, fmt.Errorf("decode %s: %w", k, err)
	}
	if out.GetUID() != obj.GetUID() {
		return nil, nil
	}
	return out, nil
}
