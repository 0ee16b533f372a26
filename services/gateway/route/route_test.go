package route

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for path, want := range map[string]Route{
		"/":                                     {Kind: Root},
		"/livez/ping":                           {Kind: Health, Path: "livez/ping"},
		"/version":                              {Kind: Version},
		"/api":                                  {Kind: LegacyAPI},
		"/api/":                                 {Kind: LegacyAPI},
		"/apis":                                 {Kind: Groups},
		"/apis/apps":                            {Kind: Group, Group: "apps"},
		"/apis/apps/v1":                         {Kind: GroupVersion, Group: "apps", Version: "v1"},
		"/api/v1":                               {Kind: GroupVersion, Version: "v1"},
		"/openapi/v2":                           {Kind: OpenAPIV2},
		"/openapi/v3":                           {Kind: OpenAPIV3},
		"/openapi/v3/apis/apps/v1":              {Kind: OpenAPIV3, Path: "apis/apps/v1"},
		"/api/v1/pods":                          {Kind: Object, Version: "v1", Resource: "pods"},
		"/api/v1/namespaces":                    {Kind: Object, Version: "v1", Resource: "namespaces"},
		"/api/v1/namespaces/a":                  {Kind: Object, Version: "v1", Resource: "namespaces", Name: "a"},
		"/api/v1/namespaces/a/status":           {Kind: Object, Version: "v1", Resource: "namespaces", Name: "a", Subresource: "status"},
		"/api/v1/namespaces/a/pods":             {Kind: Object, Version: "v1", Namespace: "a", Resource: "pods"},
		"/api/v1/namespaces/a/pods/p":           {Kind: Object, Version: "v1", Namespace: "a", Resource: "pods", Name: "p"},
		"/api/v1/namespaces/a/pods/p/log":       {Kind: Object, Version: "v1", Namespace: "a", Resource: "pods", Name: "p", Subresource: "log"},
		"/api/v1/namespaces/a/pods/p/proxy/x/y": {Kind: Object, Version: "v1", Namespace: "a", Resource: "pods", Name: "p", Subresource: "proxy", Tail: "/x/y"},
		"/api/v1/namespaces/a/pods/p/proxy":     {Kind: Object, Version: "v1", Namespace: "a", Resource: "pods", Name: "p", Subresource: "proxy"},
		"/api/v1/namespaces/a/pods/p/proxy/":    {Kind: Object, Version: "v1", Namespace: "a", Resource: "pods", Name: "p", Subresource: "proxy", Tail: "/"},
		"/api/v1/namespaces/a/pods/https:p:8443/proxy/a%2Fb//c/": {Kind: Object, Version: "v1", Namespace: "a", Resource: "pods", Name: "https:p:8443", Subresource: "proxy", Tail: "/a%2Fb//c/"},
		"/api/v1/namespaces/a/pods/p/proxy/proxy/proxy":          {Kind: Object, Version: "v1", Namespace: "a", Resource: "pods", Name: "p", Subresource: "proxy", Tail: "/proxy/proxy"},
		"/api/v1/nodes/n/proxy/metrics":                          {Kind: Object, Version: "v1", Resource: "nodes", Name: "n", Subresource: "proxy", Tail: "/metrics"},
		"/api/v1/namespaces/proxy/pods/proxy":                    {Kind: Object, Version: "v1", Namespace: "proxy", Resource: "pods", Name: "proxy"},
		"/api/v1/namespaces/a/pods/p/proxy/../../secrets":        {},
		"/api/v1/namespaces/a/pods/p/proxy/%2e%2e/x":             {},
		"/api/v1/namespaces/a/pods/p/proxy/x/.":                  {},
		"/api/v1/namespaces/a/pods/p/proxy/%0d%0aX:1":            {},
		"/api/v1/namespaces/a/pods/..%2fp/proxy/x":               {},
		"/api/v1/namespaces/a/pods//proxy/x":                     {},
		"/apis/apps/v1/namespaces/a/deployments/d/proxy/x":       {},
		"/apis/apps/v1/namespaces/a/deployments/d/scale":         {Kind: Object, Group: "apps", Version: "v1", Namespace: "a", Resource: "deployments", Name: "d", Subresource: "scale"},
		"/apis/x/v1/clusterroles/system%3Anode":                  {Kind: Object, Group: "x", Version: "v1", Resource: "clusterroles", Name: "system:node"},
		"/api/v1/nodes/n/status":                                 {Kind: Object, Version: "v1", Resource: "nodes", Name: "n", Subresource: "status"},
		"":                                                       {Kind: Root},
		"/api/v1//pods":                                          {},
		"/api/v1/namespaces/a/pods/":                             {},
		"/api/v1/namespaces/../pods":                             {},
		"/api/v1/namespaces/%2e%2e/pods":                         {},
		"/api/v1/namespaces/./pods":                              {},
		"/api/v1/namespaces/a%2fpods":                            {},
		"/api/v1/namespaces/a%2Fb/pods":                          {},
		"/api/v1/namespaces/a%5cb/pods":                          {},
		"/api/v1/namespaces/a%00/pods":                           {},
		"/api/v1/namespaces/a%0d%0ax/pods":                       {},
		"/api/v1/namespaces/%zz/pods":                            {},
		"/api/v1/namespaces/%ff/pods":                            {},
		"/api/v1/namespaces/a/pods/p/log/more":                   {},
		"/versions":                                              {},
		"/version/x":                                             {},
		"api/v1/pods":                                            {},
		"//api/v1/pods":                                          {},
		"/openapi/v4":                                            {},
		"/metrics":                                               {},
		"/api/v1/namespaces/a/secrets/..%2f..%2fsecrets":         {},
		"/api/v1/namespaces/" + strings.Repeat("a", 10000) + "":  {Kind: Object, Version: "v1", Resource: "namespaces", Name: strings.Repeat("a", 10000)},
	} {
		if got := Parse(path); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", path, got, want)
		}
	}
}

// FuzzParse: whatever comes, no part of a route can be taken for more than one segment,
// and a route written out again is the same route.
func FuzzParse(f *testing.F) {
	f.Add("/api/v1/namespaces/a/pods/p/log")
	f.Add("/apis/apps/v1/namespaces/a%2fb/deployments/..")
	f.Add("/openapi/v3/apis/apps/v1")
	f.Add("/api/v1/namespaces/a/pods/https:p:8443/proxy/a%2Fb//c/?x")
	f.Fuzz(func(t *testing.T, path string) {
		r := Parse(path)
		for _, p := range []string{r.Group, r.Version, r.Namespace, r.Resource, r.Name, r.Subresource} {
			if p == "." || p == ".." || strings.ContainsAny(p, "/\\\x00\r\n") {
				t.Errorf("%q: part %q", path, p)
			}
		}
		for p := range strings.SplitSeq(r.Tail, "/") {
			if s, err := url.PathUnescape(p); err != nil || s == "." || s == ".." || strings.ContainsAny(s, "\x00\r\n") {
				t.Errorf("%q: tail %q", path, r.Tail)
			}
		}
		if r.Kind != Object {
			return
		}
		var b strings.Builder
		b.WriteString("/api/")
		if r.Group != "" {
			b.Reset()
			b.WriteString("/apis/" + url.PathEscape(r.Group) + "/")
		}
		b.WriteString(url.PathEscape(r.Version))
		if r.Namespace != "" {
			b.WriteString("/namespaces/" + url.PathEscape(r.Namespace))
		}
		for _, p := range []string{r.Resource, r.Name, r.Subresource} {
			if p != "" {
				b.WriteString("/" + url.PathEscape(p))
			}
		}
		b.WriteString(r.Tail)
		if again := Parse(b.String()); !reflect.DeepEqual(again, r) {
			t.Errorf("%q became %q:\n%+v\n%+v", path, b.String(), r, again)
		}
	})
}
