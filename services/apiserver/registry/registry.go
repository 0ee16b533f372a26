package registry

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/semaphore"
	authenticationv1 "k8s.io/api/authentication/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/net"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/share"
	"github.com/skerry/skerry/services/apiserver/access"
	"github.com/skerry/skerry/services/apiserver/allot"
	"github.com/skerry/skerry/services/apiserver/history"
	"github.com/skerry/skerry/services/apiserver/managed"
	"github.com/skerry/skerry/services/apiserver/replica"
)

// Registry does the verbs. Its fields are set once. Safe for concurrent use.
type Registry struct {
	Table  *schemas.Table
	State  Backend
	Events Backend
	Keys   store.Lister // the state bucket's keys, for agents
	// PodsOn is how many pods a node has in the copy; nil: many.
	PodsOn func(node schemas.NodeName) int
	// Touched is the copy's: whether a node's work orders or its Node changed since a revision; nil: Keys is asked.
	Touched func(node schemas.NodeName, since store.Revision) (newer, last store.Revision, ok bool)
	Lists   *semaphore.Weighted // how many agents list at a time; nil: any number
	History *history.Keeper
	Fields  *managed.Fields
	Guard   access.Guard
	Ranges  allot.Ranges
	Alike   *share.Pool // of pods that are made with others; nil: each is decoded for itself
	// Answer answers a create of a kind that is not stored.
	Answer func(ctx context.Context, r *api.Request, obj schemas.Object) (schemas.Object, error)
	// Send makes a request of another service: the writers of current and assigned.
	Send func(ctx context.Context, subject string, data []byte) ([]byte, error)
	// Issue issues a token of a service account.
	Issue func(*v1.ServiceAccount, *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error)
	Now   func() time.Time

	texts texts
	pages pages
}

// Backend is where objects of some kinds are kept.
type Backend struct {
	*replica.Replica
	Writer
}

// backend returns where k's objects are.
func (g *Registry) backend(k *schemas.Kind) Backend {
	if k.Store == schemas.StoreEvents {
		return g.Events
	}
	return g.State
}

// handler does one verb on one subresource.
type handler func(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error)

// Do answers r, which is authorised already and whose kind is k.
func (g *Registry) Do(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	h := g.handler(r, k)
	if h == nil && r.Subresource != "" && !slices.ContainsFunc(k.Subresources(), func(s schemas.Subresource) bool { return s.Name == r.Subresource }) {
		return nil, apierrors.NewGenericServerResponse(http.StatusNotFound, "", schema.GroupResource{}, "", "", 0, true)
	}
	if h == nil {
		return nil, apierrors.NewMethodNotSupported(schema.GroupResource{Group: k.Resource.Group, Resource: path(r)}, string(r.Verb))
	}
	if k.Namespaced && r.Namespace == "" && r.Verb != api.VerbList && r.Verb != api.VerbDeleteCollection {
		return nil, apierrors.NewBadRequest("an empty namespace may not be set when a resource name is provided")
	}
	if r.Name == "" && named(r) {
		return nil, apierrors.NewBadRequest("name is required")
	}
	return h(ctx, r, k)
}

func path(r *api.Request) string {
	if r.Subresource == "" {
		return r.Resource.Plural
	}
	return r.Resource.Plural + "/" + r.Subresource
}

// named tells whether r is about one existing object.
func named(r *api.Request) bool {
	switch r.Verb {
	case api.VerbGet, api.VerbUpdate, api.VerbPatch, api.VerbDelete, api.VerbHistory:
		return true
	}
	return r.Subresource != ""
}

func (g *Registry) handler(r *api.Request, k *schemas.Kind) handler {
	if k.Store == schemas.StoreNowhere {
		if r.Subresource != "" {
			return nil
		}
		return pick(r.Verb, map[api.Verb]handler{api.VerbCreate: g.answer})
	}
	switch r.Subresource {
	case "":
		return g.main(r.Verb)
	case "status":
		if k.StatusWriter == schemas.StatusNone {
			return nil
		}
		return pick(r.Verb, map[api.Verb]handler{api.VerbGet: g.get, api.VerbUpdate: g.updateStatus, api.VerbPatch: g.patchStatus})
	case "scale":
		if k.Scale == nil {
			return nil
		}
		return pick(r.Verb, map[api.Verb]handler{api.VerbGet: g.getScale, api.VerbUpdate: g.updateScale, api.VerbPatch: g.patchScale})
	case "binding":
		if k.Resource == schemas.Pods {
			return pick(r.Verb, map[api.Verb]handler{api.VerbCreate: g.bind})
		}
	case "ephemeralcontainers":
		if k.Resource == schemas.Pods {
			return pick(r.Verb, g.handlers(ephemeralContainers))
		}
	case "placement":
		if k.Resource == schemas.Pods {
			return pick(r.Verb, map[api.Verb]handler{api.VerbGet: g.explainPlacement, api.VerbCreate: g.proposePlacement})
		}
	case "token":
		if k.Resource == schemas.ServiceAccounts {
			return pick(r.Verb, map[api.Verb]handler{api.VerbCreate: g.token})
		}
	case "resize":
		if k.Resource == schemas.Pods {
			return pick(r.Verb, g.handlers(resize))
		}
	case "eviction":
		if k.Resource == schemas.Pods {
			return pick(r.Verb, map[api.Verb]handler{api.VerbCreate: g.evict})
		}
	case "log", "exec", "attach", "portforward", "proxy":
		switch {
		case k.Resource == schemas.Pods:
			return g.connect(r)
		case k.Resource == schemas.Services && r.Subresource == "proxy":
			return pick(r.Verb, proxies(g.balanced))
		}
	case "finalize":
		if k.Resource == schemas.Namespaces {
			return pick(r.Verb, map[api.Verb]handler{api.VerbUpdate: g.finalize})
		}
	}
	return nil
}

// connect answers whether the user may reach into the pod with the pod itself, which
// says where it is; the streams are between the client's side and the node's agent.
func (g *Registry) connect(r *api.Request) handler {
	verbs := map[api.Verb]handler{api.VerbGet: g.get}
	if r.Subresource != "log" {
		verbs[api.VerbCreate] = g.get
	}
	if r.Subresource == "proxy" {
		verbs = proxies(g.proxied)
	}
	return pick(r.Verb, verbs)
}

// proxies are the verbs of a proxy: those of the methods that it passes on.
func proxies(h handler) map[api.Verb]handler {
	return map[api.Verb]handler{api.VerbGet: h, api.VerbCreate: h, api.VerbUpdate: h, api.VerbPatch: h, api.VerbDelete: h}
}

// proxied is get for a proxy, whose name has a scheme and a port around it: roles may name
// them, as in Kubernetes, so they are there until now.
func (g *Registry) proxied(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	_, name, _, ok := net.SplitSchemeNamePort(string(r.Name))
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("invalid pod request %q", r.Name))
	}
	of := *r
	of.Name, of.Verb = schemas.Name(name), api.VerbGet
	return g.get(ctx, &of, k)
}

// main does not pick from a map: most requests come by here, and making one took as long as a read.
func (g *Registry) main(v api.Verb) handler {
	switch v {
	case api.VerbGet:
		return g.get
	case api.VerbList:
		return g.list
	case api.VerbCreate:
		return g.create
	case api.VerbUpdate:
		return g.update
	case api.VerbPatch:
		return g.patch
	case api.VerbDelete:
		return g.remove
	case api.VerbDeleteCollection:
		return g.removeAll
	case api.VerbHistory:
		return g.history
	}
	return nil
}

func pick(v api.Verb, from map[api.Verb]handler) handler { return from[v] }

// NoKind is the answer to a request about a resource that is not served.
func NoKind(r schemas.Resource) error {
	return apierrors.NewGenericServerResponse(http.StatusNotFound, "", schema.GroupResource{Group: r.Group, Resource: r.Plural}, "",
		fmt.Sprintf("the server could not find the requested resource %s", r), 0, true)
}
