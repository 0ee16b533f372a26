// Package api is the protocol of the apiserver: requests and replies over
// api.<user>.<verb>.<resource>, through NATS' service framework, with bodies
// of any size, and watches over streams. Client and server side.
//
// It reads and writes only the subjects api.<user>.<verb>.<resource>, their reply
// inboxes and, for watches and bodies beyond one message, streams. What always
// holds: who asks comes from the subject; a write is sent again only if it is certain
// that nobody got it; memory is bounded on both sides whatever the other one does.
//
// Errors are Kubernetes Status errors (k8s.io/apimachinery/pkg/api/errors tests them),
// or wrap bus.ErrUnreachable when no apiserver answers.
package api

import (
	"context"
	"encoding/json"
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
	// VerbKinds tells which kinds are served, to programs whose table may lack some (Skerry's own).
	VerbKinds Verb = "kinds"
	// VerbCreateMany and VerbDeleteMany are several creates or deletes in one request
	// (Skerry's own), one a line, each of which succeeds or fails for itself.
	VerbCreateMany Verb = "createmany"
	VerbDeleteMany Verb = "deletemany"
)

// Request is one request. Which fields matter depends on the verb, as in the
// Kubernetes API: metav1.GetOptions, ListOptions, … folded into one struct.
type Request struct {
	// From the subject, never from the payload.
	User     bus.User         `json:"-"`
	Verb     Verb             `json:"-"`
	Resource schemas.Resource `json:"-"`
	// Groups are those of User; the apiserver sets them.
	Groups []string `json:"-"`

	// As is whom User asks for: a gateway names the user that it authenticated. Only
	// identities that may act for others may set it.
	As *Identity `json:"as,omitempty"`
	// Impersonate is whom As (or User) wants to be for this request; the apiserver
	// checks that they may.
	Impersonate *Identity `json:"impersonate,omitempty"`

	Namespace   schemas.Namespace `json:"namespace,omitempty"`
	Name        schemas.Name      `json:"name,omitempty"`
	Subresource string            `json:"subresource,omitempty"` // status, scale, binding, eviction, ephemeralcontainers

	// Verbless says that what is asked for has no verb in Kubernetes: only who may do everything
	// with the resource may do it.
	Verbless bool `json:"verbless,omitempty"`

	// Body is the object (create, update), the patch, the Scale, Binding or Eviction, as JSON.
	Body []byte `json:"-"`

	PatchType       types.PatchType       `json:"patchType,omitempty"`
	FieldManager    string                `json:"fieldManager,omitempty"`
	FieldValidation string                `json:"fieldValidation,omitempty"` // Ignore, Warn, Strict
	Force           bool                  `json:"force,omitempty"`           // server-side apply
	DryRun          bool                  `json:"dryRun,omitempty"`
	List            *metav1.ListOptions   `json:"list,omitempty"`
	Delete          *metav1.DeleteOptions `json:"delete,omitempty"`
	// Table asks a list for rows of text in place of objects.
	Table *Table `json:"table,omitempty"`
	// Gzip says that the client takes a large reply compressed.
	Gzip bool `json:"gzip,omitempty"`
	// Brief asks for a Brief in place of the object; the apiserver sets it.
	Brief bool `json:"-"`
	// AuditNote is what the server's audit is to record besides.
	AuditNote string `json:"-"`
	// Filters are VerbState's key filters.
	Filters []string `json:"filters,omitempty"`
	// Since asks VerbState not for the entries, but whether one has a later revision. An
	// apiserver that does not know it lists.
	Since store.Revision `json:"since,omitempty"`
}

// Identity is a user as an authenticator knows them.
type Identity struct {
	User   bus.User            `json:"user"`
	UID    string              `json:"uid,omitempty"`
	Groups []string            `json:"groups,omitempty"`
	Extra  map[string][]string `json:"extra,omitempty"`
}

// Verbs lists every verb.
func Verbs() []Verb {
	return []Verb{
		VerbGet, VerbList, VerbWatch, VerbCreate, VerbUpdate, VerbPatch, VerbDelete,
		VerbDeleteCollection, VerbHistory, VerbState, VerbKinds, VerbCreateMany, VerbDeleteMany,
	}
}

// readOnly tells whether doing it twice is the same as doing it once or never.
func (v Verb) readOnly() bool {
	switch v {
	case VerbGet, VerbList, VerbWatch, VerbHistory, VerbState, VerbKinds:
		return true
	}
	return false
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
	// Gzip: Body is compressed, as the request allowed.
	Gzip bool
	// Created is true if a patch or apply made the object (HTTP 201).
	Created bool
	// Brief is in place of Body for a request that asked for one; it is not on the wire.
	Brief *Brief
}

// WatchEvent is one event of a watch: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.
type WatchEvent struct {
	Type   string          `json:"type"`
	Object json.RawMessage `json:"object"` // the object, or a Status for ERROR
}

// Revision is one kept state of an object, as VerbHistory returns them.
type Revision struct {
	// Number is 1 for an object's first state, and one more with each change of its content, whether or
	// not Kubernetes counts generations of its kind.
	Number int64     `json:"number"`
	Time   time.Time `json:"time"`
	User   string    `json:"user"`
	// Object is the desired object of then.
	Object json.RawMessage `json:"object"`
	// Deleted is true for the last state of an object that was then deleted.
	Deleted bool `json:"deleted,omitempty"`
	// Current is true for the one that is desired now.
	Current bool `json:"current,omitempty"`
}

// Server answers requests. Errors that are not Status errors become
// InternalError and are logged with the request.
type Server interface {
	// Do answers every verb but watch.
	Do(ctx context.Context, r *Request) (*Reply, error)
	// Watch returns what r's events come from, or why r may not be: its client gets the
	// error in place of a stream then.
	Watch(ctx context.Context, r *Request) (Source, error)
}

// Source is where a watch's events come from.
type Source interface {
	// Next sends what there is to emit, which blocks under backpressure, and says when there
	// may be more. ctx ends when the client leaves, or List.TimeoutSeconds have passed.
	Next(ctx context.Context, emit func(WatchEvent) error) (Pause, error)
	// Close is called once, after the last Next.
	Close()
}

// Pause is how long a watch may rest: until Wake can be received from, or Until. One
// without either is its end.
type Pause struct {
	Wake  <-chan struct{}
	Until time.Time
}

// Events is a Source that sends all of them at once, for servers with few watches.
type Events func(ctx context.Context, emit func(WatchEvent) error) error

// Next implements Source.
func (f Events) Next(ctx context.Context, emit func(WatchEvent) error) (Pause, error) {
	return Pause{}, f(ctx, emit)
}

// Close implements Source.
func (Events) Close() {}
