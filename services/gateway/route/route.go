// Package route reads what a request is about from its path. Pure.
//
// What always holds: a path that two readers could understand differently (empty or dot
// segments, encoded slashes, control characters) is no route at all.
package route

import (
	"net/url"
	"strings"
)

// Kind is what a path leads to.
type Kind int

// The kinds of routes.
const (
	Unknown      Kind = iota
	Root              // /
	Health            // /healthz, /livez, /readyz and what is below
	Version           // /version
	LegacyAPI         // /api
	Groups            // /apis
	Group             // /apis/<group>
	GroupVersion      // /api/v1, /apis/<group>/<version>
	OpenAPIV2         // /openapi/v2
	OpenAPIV3         // /openapi/v3
	Object            // a resource's collection, object or subresource
)

// Route is a parsed path.
type Route struct {
	Kind           Kind
	Group, Version string
	// Path is what is below a Health or OpenAPIV3 route: "ping", "apis/apps/v1".
	Path string

	Namespace, Resource, Name, Subresource string
	// Tail is what follows the subresource proxy, escaped as it came: "" or "/" and more.
	Tail string
}

// Parse reads an escaped path, as url.URL.EscapedPath has it.
func Parse(escaped string) Route {
	if escaped == "/" || escaped == "" {
		return Route{Kind: Root}
	}
	escaped, tail, proxied := cutProxy(escaped)
	segments, ok := split(escaped)
	if !ok {
		return Route{}
	}
	if proxied {
		return proxy(resource(Route{Version: segments[1]}, segments[2:]), tail)
	}
	rest := segments[1:]
	switch segments[0] {
	case "healthz", "livez", "readyz":
		return Route{Kind: Health, Path: strings.Join(segments, "/")}
	case "version":
		return only(Route{Kind: Version}, rest)
	case "openapi":
		return openAPI(rest)
	case "api":
		if len(rest) == 0 {
			return Route{Kind: LegacyAPI}
		}
		return resource(Route{Version: rest[0]}, rest[1:])
	case "apis":
		switch len(rest) {
		case 0:
			return Route{Kind: Groups}
		case 1:
			return Route{Kind: Group, Group: rest[0]}
		}
		return resource(Route{Group: rest[0], Version: rest[1]}, rest[2:])
	}
	return Route{}
}

// cutProxy cuts a path below a proxy off: its segments are for somebody else to read.
func cutProxy(escaped string) (head, tail string, ok bool) {
	parts := strings.SplitN(escaped, "/", 9) // "", "api", "v1", "namespaces", a, "pods", p, "proxy", …
	at := 5
	if len(parts) > 3 && parts[3] == "namespaces" {
		at = 7
	}
	if len(parts) <= at || parts[1] != "api" || parts[at] != "proxy" {
		return escaped, "", false
	}
	head = strings.Join(parts[:at+1], "/")
	return head, escaped[len(head):], true
}

// proxy adds what is below a proxy. Dot segments are refused even there: no two programs
// on the way agree on what they mean.
func proxy(r Route, tail string) Route {
	for _, p := range strings.Split(tail, "/") {
		s, err := url.PathUnescape(p)
		if err != nil || s == "." || s == ".." || strings.ContainsFunc(s, control) {
			return Route{}
		}
	}
	if r.Kind != Object || r.Subresource != "proxy" {
		return Route{}
	}
	r.Tail = tail
	return r
}

// split decodes each segment by itself: an encoded slash separates nothing.
func split(escaped string) ([]string, bool) {
	if !strings.HasPrefix(escaped, "/") {
		return nil, false
	}
	parts := strings.Split(escaped[1:], "/")
	if n := len(parts); n > 1 && n <= 3 && parts[n-1] == "" {
		parts = parts[:n-1] // "/api/", "/apis/apps/"
	}
	for i, p := range parts {
		s, err := url.PathUnescape(p)
		if err != nil || s == "" || s == "." || s == ".." || strings.ContainsFunc(s, unsafe) {
			return nil, false
		}
		parts[i] = s
	}
	return parts, true
}

func unsafe(r rune) bool { return r == '/' || r == '\\' || r == '\uFFFD' || control(r) }

func control(r rune) bool { return r < 0x20 || r == 0x7f }

func only(r Route, rest []string) Route {
	if len(rest) > 0 {
		return Route{}
	}
	return r
}

func openAPI(rest []string) Route {
	switch {
	case len(rest) == 1 && rest[0] == "v2":
		return Route{Kind: OpenAPIV2}
	case len(rest) >= 1 && rest[0] == "v3":
		return Route{Kind: OpenAPIV3, Path: strings.Join(rest[1:], "/")}
	}
	return Route{}
}

// resource reads what follows the version.
func resource(r Route, rest []string) Route {
	r.Kind = Object
	if len(rest) == 0 {
		r.Kind = GroupVersion
		return r
	}
	if rest[0] == "namespaces" && len(rest) > 2 && !ofNamespace(rest) {
		r.Namespace, rest = rest[1], rest[2:]
	}
	r.Resource = rest[0]
	if len(rest) > 1 {
		r.Name = rest[1]
	}
	if len(rest) > 2 {
		r.Subresource = rest[2]
	}
	if len(rest) > 3 {
		return Route{}
	}
	return r
}

// ofNamespace tells namespaces/<name>/status from namespaces/<namespace>/pods.
func ofNamespace(rest []string) bool {
	return len(rest) == 3 && (rest[2] == "status" || rest[2] == "finalize")
}
