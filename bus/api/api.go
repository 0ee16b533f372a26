// Package api is the protocol of the apiserver: requests and replies over
// api.<user>.<verb>.<resource>, through NATS' service framework, with bodies
// of any size, and watches over streams. Client and server side.
//
// Errors are Kubernetes Status errors (k8s.io/apimachinery/pkg/api/errors tests them),
// or wrap bus.ErrUnreachable when no apiserver answers.
package api

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

// Verb is what is asked; the names are those of Kubernetes' RBAC.
type Verb string

const (
	VerbGet              Verb = "get"
	VerbList             Verb = "list"
	VerbWatch            Verb = "watch"
	VerbCreate           Verb = "create"
	VerbUpdate           Verb = "update"
	VerbPatch            Verb = "patch"
	VerbDelete           Verb = "delete"
	VerbDeleteCollection Verb = "deletecollection"
	// VerbHistory lists the kept revisions of one object (Skerry's own).
	VerbHistory Verb = "history"
	// VerbState lists state keys for an agent, which may not read the stream.
	VerbState Verb = "state"
)

// Request is one request. Which fields matter depends on the verb, as in the
// Kubernetes API: metav1.GetOptions, ListOptions, … folded into one struct.
type Request struct {
	// From the subject, never from the payload.
	User     bus.User         `json:"-"`
	Verb     Verb             `json:"-"`
	Resource schemas.Resource `json:"-"`

	Namespace   schemas.Namespace `json:"namespace,omitempty"`
	Name        schemas.Name      `json:"name,omitempty"`
	Subresource string            `json:"subresource,omitempty"` // status, scale, binding, eviction

	// Body is the object (create, update), the patch, the Scale, Binding or Eviction, as JSON.
	Body []byte `json:"-"`

	PatchType       types.PatchType       `json:"patchType,omitempty"`
	FieldManager    string                `json:"fieldManager,omitempty"`
	FieldValidation string                `json:"fieldValidation,omitempty"` // Ignore, Warn, Strict
	Force           bool                  `json:"force,omitempty"`           // server-side apply
	DryRun          bool                  `json:"dryRun,omitempty"`
	List            *metav1.ListOptions   `json:"list,omitempty"`
	Delete          *metav1.DeleteOptions `json:"delete,omitempty"`
	// Filters are VerbState's key filters.
	Filters []string `json:"filters,omitempty"`
}

// Ref is the object that the request names.
func (r *Request) Ref() schemas.Ref {
	return schemas.Ref{Resource: r.Resource, Namespace: r.Namespace, Name: r.Name}
}

// Reply is the answer: an object, a list or a Status as JSON, and warnings (fields
// that are not honoured, deprecated use) that the CLI prints.
type Reply struct {
	Body     []byte
	Warnings []string
	// Created is true if a patch or apply made the object (HTTP 201).
	Created bool
}

// WatchEvent is one event of a watch: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.
type WatchEvent struct {
	Type   string `json:"type"`
	Object []byte `json:"object"` // JSON of the object, or of a Status for ERROR
}

// Revision is one kept generation of an object, as VerbHistory returns them.
type Revision struct {
	Generation int64     `json:"generation"`
	Time       time.Time `json:"time"`
	User       string    `json:"user"`
	// Object is the desired object of that generation, JSON.
	Object []byte `json:"object"`
	// Deleted is true for the last state of an object that was then deleted.
	Deleted bool `json:"deleted,omitempty"`
	// Current is true for the generation that is desired now.
	Current bool `json:"current,omitempty"`
}

// Server answers requests. Errors that are not Status errors become
// InternalError and are logged with the request.
type Server interface {
	// Do answers every verb but watch.
	Do(ctx context.Context, r *Request) (*Reply, error)
	// Watch sends events to emit, which blocks under backpressure, until ctx ends
	// (the client left) or List.TimeoutSeconds passed.
	Watch(ctx context.Context, r *Request, emit func(WatchEvent) error) error
}

// Serve registers the endpoints and answers until ctx ends, then drains. At most
// concurrency requests run at once; more wait in NATS' queue, and beyond that
// are refused with TooManyRequests.
func Serve(ctx context.Context, conn *bus.Conn, name, version string, concurrency int, s Server) error {
	panic("skeleton")
}

// Client makes requests as the connection's user. Requests time out after 30 s
// unless ctx ends earlier; idempotent ones (get, list) are retried while no
// apiserver answers, for up to RetryFor.
type Client struct {
	conn  *bus.Conn
	table *schemas.Table
	// RetryFor bounds waiting for an apiserver; 0 means not to wait.
	RetryFor time.Duration
}

// NewClient returns a client that decodes the kinds in table.
func NewClient(conn *bus.Conn, table *schemas.Table) *Client {
	return &Client{conn: conn, table: table, RetryFor: 5 * time.Second}
}

// Do sends r (User is ignored: it is the connection's) and returns the raw reply.
func (c *Client) Do(ctx context.Context, r *Request) (*Reply, error) { panic("skeleton") }

// Get, Create, … are Do with typed objects.
func (c *Client) Get(ctx context.Context, ref schemas.Ref) (schemas.Object, error) { panic("skeleton") }

// Create creates obj and returns it as stored.
func (c *Client) Create(ctx context.Context, r schemas.Resource, obj schemas.Object) (schemas.Object, error) {
	panic("skeleton")
}

// Update replaces obj (at its resourceVersion if set); subresource "" or "status".
func (c *Client) Update(ctx context.Context, r schemas.Resource, obj schemas.Object, subresource string) (schemas.Object, error) {
	panic("skeleton")
}

// Patch patches the object; subresource "" or "status".
func (c *Client) Patch(ctx context.Context, ref schemas.Ref, pt types.PatchType, patch []byte, subresource string) (schemas.Object, error) {
	panic("skeleton")
}

// Delete deletes the object.
func (c *Client) Delete(ctx context.Context, ref schemas.Ref, o metav1.DeleteOptions) error {
	panic("skeleton")
}

// List returns the objects of r that o selects, paging through all of them, and
// the list's resourceVersion.
func (c *Client) List(ctx context.Context, r schemas.Resource, ns schemas.Namespace, o metav1.ListOptions) ([]schemas.Object, string, error) {
	panic("skeleton")
}

// Watch calls f with each event from o.ResourceVersion on until ctx ends, f fails or
// the server ends it (nil). 410 Gone arrives as a Status error: list again.
func (c *Client) Watch(ctx context.Context, r schemas.Resource, ns schemas.Namespace, o metav1.ListOptions, f func(eventType string, obj schemas.Object) error) error {
	panic("skeleton")
}

// History returns the kept revisions of an object, oldest first, the current one last.
func (c *Client) History(ctx context.Context, ref schemas.Ref) ([]Revision, error) {
	panic("skeleton")
}

// StateLister lists state keys through the apiserver: how an agent sees its work orders.
func (c *Client) StateLister() store.Lister { panic("skeleton") }
