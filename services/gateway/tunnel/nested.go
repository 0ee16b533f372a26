package tunnel

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	"github.com/gorilla/websocket"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// nestedPrefix begins the WebSocket subprotocols that are SPDY within binary messages, which is
// how clients get SPDY through proxies that know WebSocket only.
const nestedPrefix = "SPDY/3.1+"

// nested upgrades to a WebSocket that carries SPDY. Streams are as with upgrade.
func nested(w http.ResponseWriter, r *http.Request, protocol string) (httpstream.Connection, <-chan opened, error) {
	up := websocket.Upgrader{
		// Whoever has credentials here is a program, not a page: no cookie is ever read.
		CheckOrigin:  func(*http.Request) bool { return true },
		Subprotocols: []string{nestedPrefix + protocol},
		Error: func(w http.ResponseWriter, _ *http.Request, code int, reason error) {
			http.Error(w, "unable to upgrade: "+reason.Error(), code)
		},
	}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return nil, nil, err
	}
	streams, take := incoming()
	conn, err := spdy.NewServerConnection(portforward.NewTunnelingConnectionWithLogger(logr.Discard(), ws), take)
	if err != nil {
		return nil, nil, err // it has closed what it was given
	}
	conn.SetIdleTimeout(idle)
	return conn, streams, nil
}

// isNested tells whether r asks for SPDY within a WebSocket.
func isNested(r *http.Request) bool {
	return slices.ContainsFunc(websocket.Subprotocols(r), func(p string) bool { return strings.HasPrefix(p, nestedPrefix) })
}

// checkNested refuses subprotocols that are not p before the connection is upgraded: a client
// falls back to SPDY alone only if it is told so by a status.
func checkNested(r *http.Request, p string) error {
	if slices.Contains(websocket.Subprotocols(r), nestedPrefix+p) {
		return nil
	}
	return apierrors.NewBadRequest("unable to upgrade: none of the subprotocols " + strings.Join(websocket.Subprotocols(r), ", ") + " is " + nestedPrefix + p)
}
