package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/gateway/caller"
	"github.com/skerry/skerry/services/gateway/route"
	"github.com/skerry/skerry/services/gateway/usage"
)

// exchange is one request and its answer.
type exchange struct {
	s     *server
	w     http.ResponseWriter
	r     *http.Request
	route route.Route
	who   *api.Identity
	// as is whom who wants to be, if anybody else.
	as *api.Identity
	// rest is what is left to do when all that is to be found out is, nil if nothing.
	rest *following
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// What lasts may last for days. As little as can be is on the stack while it waits, so that
	// the stack can shrink: to wait for several channels would double what a watch takes.
	if f := s.answer(w, r); f != nil {
		for f.send() {
			<-f.watching.Arrival()
		}
	}
}

// answer answers r, but for what it returns.
func (s *server) answer(w http.ResponseWriter, r *http.Request) *following {
	x := &exchange{s: s, w: w, r: r}
	defer s.caught(r, func() {
		x.fail(apierrors.NewInternalError(errors.New("the gateway panicked; its log says where")))
	})
	w.Header().Set("Cache-Control", "no-cache, private")
	x.route = route.Parse(r.URL.EscapedPath())
	if err := x.serve(); err != nil {
		x.fail(err)
	}
	return x.rest
}

// caught logs a panic, if there is one, and then calls tell. It has to be deferred itself.
func (s *server) caught(r *http.Request, tell func()) {
	switch p := recover(); p {
	case nil:
	case http.ErrAbortHandler:
		panic(p)
	default:
		s.Log.Error("request panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
		tell()
	}
}

func (x *exchange) serve() error {
	switch x.route.Kind {
	case route.Unknown:
		return notFound()
	case route.Health, route.Version: // open to everybody
		if err := x.only(http.MethodGet, http.MethodHead); err != nil {
			return err
		}
		if x.route.Kind == route.Version {
			return x.version()
		}
		return x.health()
	}
	var err error
	if x.who, err = x.s.callers.Of(x.r); err != nil {
		return err
	}
	if x.as, err = caller.Impersonated(x.r); err != nil {
		return err
	}
	if x.route.Kind == route.Object && x.route.Group == usage.Group {
		return x.measured()
	}
	if x.route.Kind == route.Object {
		return x.object()
	}
	// What is served is for everybody who is somebody.
	if x.who.User == caller.Anonymous {
		return apierrors.NewForbidden(schema.GroupResource{}, "", fmt.Errorf("User %q cannot get path %q", x.who.User, x.r.URL.Path))
	}
	if err := x.only(http.MethodGet, http.MethodHead); err != nil {
		return err
	}
	return x.discover()
}

func (x *exchange) only(methods ...string) error {
	for _, m := range methods {
		if x.r.Method == m {
			return nil
		}
	}
	x.w.Header().Set("Allow", strings.Join(methods, ", "))
	return apierrors.NewMethodNotSupported(schema.GroupResource{Group: x.route.Group, Resource: x.route.Resource}, x.r.Method)
}

// kind is what the route's resource is, nil if it is not served.
func (x *exchange) kind() *schemas.Kind {
	k := x.s.Table.ByResource(schemas.Resource{Group: x.route.Group, Plural: x.route.Resource})
	if k == nil || k.Version != x.route.Version {
		return nil
	}
	return k
}

// served are all kinds that can be asked for.
func (s *server) served() []*schemas.Kind {
	return append(slices.Clone(s.Table.All()), usage.Kinds()...)
}

func notFound() error {
	return apierrors.NewGenericServerResponse(http.StatusNotFound, "", schema.GroupResource{}, "", "", 0, true)
}
