// Package cluster is what every controller holds in its hands: the view that it
// reads, the two ways in which it writes, and the clock.
//
// It reads bus/view, and the store where a stale answer would do harm. It writes
// metadata and specs through the apiserver, and conclusions under current.
//
// What always holds: a write has returned only once the view reflects it, so a
// controller that plans again never plans on a state before its own last act.
package cluster

import (
	"context"
	"log/slog"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
)

// Reader is the live copy of the state. Objects are shared: DeepCopy before a change.
type Reader interface {
	Get(ref schemas.Ref) (schemas.Object, bool)
	List(r schemas.Resource, ns schemas.Namespace) []schemas.Object
	// All returns the objects of a resource in all namespaces, in no order.
	All(r schemas.Resource) []schemas.Object
	// OwnedBy returns the objects with an owner reference to uid.
	OwnedBy(uid string) []schemas.Ref
	// Owned returns the same as objects, in no order.
	Owned(uid string) []schemas.Object
	// Loose returns the pods of a namespace that have no controller, in no order.
	Loose(ns schemas.Namespace) []schemas.Object
	PodsOn(node schemas.NodeName) []schemas.Object
}

// Writer changes metadata and specs, as a client of the apiserver.
type Writer interface {
	Create(ctx context.Context, r schemas.Resource, obj schemas.Object) (schemas.Object, error)
	// Make is Create of objects of one namespace, each for itself, for those who need no more
	// than that it is done: many at once go as one request. It returns an error, or nil, for each.
	Make(ctx context.Context, r schemas.Resource, objs ...schemas.Object) []error
	// Update replaces obj at its resourceVersion; subresource "" or "finalize".
	Update(ctx context.Context, r schemas.Resource, obj schemas.Object, subresource string) (schemas.Object, error)
	Delete(ctx context.Context, ref schemas.Ref, o metav1.DeleteOptions) error
	// DeleteAll deletes every object of a resource in a namespace.
	DeleteAll(ctx context.Context, r schemas.Resource, ns schemas.Namespace) error
}

// Concluder writes current.<object>: a status, or an overlay of conditions.
type Concluder interface {
	// Conclude replaces the conclusion about the object ref with this uid by what f
	// makes of it, compared and swapped. f gets nil if there is none, may change
	// what it gets, and returns nil to have none. An unchanged one is not written.
	Conclude(ctx context.Context, ref schemas.Ref, uid types.UID, f func(current schemas.Object) schemas.Object) error
	// Forget removes conclusions about an object that is no more.
	Forget(ctx context.Context, o view.Orphan) error
}

// Truth answers from the stream itself, past every copy.
type Truth interface {
	// UID returns the uid of the object that ref names now; "" if there is none.
	UID(ctx context.Context, ref schemas.Ref) (types.UID, error)
	// Refresh returns once the view reflects everything stored before the call.
	Refresh(ctx context.Context) error
}

// Recorder records events. It never blocks.
type Recorder interface {
	Event(obj schemas.Object, eventType, reason, message string)
}

// Cluster is handed to every controller.
type Cluster struct {
	View   Reader
	API    Writer
	Status Concluder
	Truth  Truth
	Events Recorder
	Table  *schemas.Table
	Log    *slog.Logger
	Now    func() time.Time
}
