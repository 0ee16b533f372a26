package openapi

import (
	"maps"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/schemas"
)

var (
	listMeta   = reflect.TypeFor[metav1.ListMeta]()
	objectMeta = reflect.TypeFor[metav1.ObjectMeta]()
)

// patches are the media types of patches of k.
func patches(k *schemas.Kind) []string {
	all := []string{"application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"}
	if schemas.IsUntyped(k.New()) {
		return all
	}
	return append(all, "application/strategic-merge-patch+json")
}

// Parameters of the query, by what takes them.
var (
	listQuery  = []string{"labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch", "timeoutSeconds", "watch", "allowWatchBookmarks", "sendInitialEvents"}
	writeQuery = []string{"dryRun", "fieldManager", "fieldValidation"}
	patchQuery = []string{"dryRun", "fieldManager", "fieldValidation", "force"}
	goneQuery  = []string{"dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"}
)

// types of those parameters that are no strings.
var types = map[string]string{
	"limit": "integer", "timeoutSeconds": "integer", "gracePeriodSeconds": "integer",
	"watch": "boolean", "allowWatchBookmarks": "boolean", "sendInitialEvents": "boolean", "force": "boolean", "orphanDependents": "boolean",
}

// base is where gv is served.
func base(gv schema.GroupVersion) string {
	if gv.Group == "" {
		return "/api/" + gv.Version
	}
	return "/apis/" + gv.String()
}

// paths describes what can be done with k.
func (d *describer) paths(k *schemas.Kind, one, list node, out map[string]any) {
	root := base(k.GroupVersion()) + "/"
	var inPath []string
	stored := slices.Contains(k.Verbs(), "get")
	if k.Namespaced && stored {
		out[root+k.Resource.Plural] = node{"get": d.operation(k, "list", k.GroupVersionKind(), nil, list, listQuery)}
	}
	if k.Namespaced {
		root += "namespaces/{namespace}/"
		inPath = []string{"namespace"}
	}
	collection := root + k.Resource.Plural
	if !stored {
		out[collection] = d.withPath(inPath, node{"post": d.operation(k, "post", k.GroupVersionKind(), one, one, writeQuery)})
		return
	}
	out[collection] = d.withPath(inPath, node{
		"get":    d.operation(k, "list", k.GroupVersionKind(), nil, list, listQuery),
		"post":   d.operation(k, "post", k.GroupVersionKind(), one, one, writeQuery),
		"delete": d.operation(k, "deletecollection", k.GroupVersionKind(), nil, one, slices.Concat(listQuery, goneQuery)),
	})
	inPath = append(inPath, "name")
	out[collection+"/{name}"] = d.withPath(inPath, node{
		"get":    d.operation(k, "get", k.GroupVersionKind(), nil, one, nil),
		"put":    d.operation(k, "put", k.GroupVersionKind(), one, one, writeQuery),
		"patch":  d.operation(k, "patch", k.GroupVersionKind(), node{"type": "object"}, one, patchQuery),
		"delete": d.operation(k, "delete", k.GroupVersionKind(), nil, one, goneQuery),
	})
	for _, s := range k.Subresources() {
		out[collection+"/{name}/"+s.Name] = d.withPath(inPath, d.subresource(k, s, one))
	}
}

func (d *describer) subresource(k *schemas.Kind, s schemas.Subresource, one node) node {
	body := node{"type": "object"}
	if s.Of == k.GroupVersionKind() {
		body = one
	}
	out := node{}
	for _, v := range s.Verbs {
		switch v {
		case "get":
			out["get"] = d.operation(k, "get", s.Of, nil, body, nil)
		case "create":
			out["post"] = d.operation(k, "post", s.Of, body, body, writeQuery)
		case "update":
			out["put"] = d.operation(k, "put", s.Of, body, body, writeQuery)
		case "patch":
			out["patch"] = d.operation(k, "patch", s.Of, node{"type": "object"}, body, patchQuery)
		}
	}
	return out
}

func (d *describer) withPath(names []string, item node) node {
	var params []any
	for _, n := range names {
		p := d.parameter(n)
		p["in"], p["required"] = "path", true
		params = append(params, p)
	}
	if len(params) > 0 {
		item["parameters"] = params
	}
	return item
}

func (d *describer) parameter(name string) node {
	t := types[name]
	if t == "" {
		t = "string"
	}
	p := node{"name": name, "in": "query"}
	if d.v3 {
		p["schema"] = node{"type": t}
	} else {
		p["type"] = t
	}
	return p
}

// operation is one method of a path: body is what it takes, nil for nothing, and answer
// what it returns.
func (d *describer) operation(k *schemas.Kind, action string, about schema.GroupVersionKind, body, answer node, query []string) node {
	var params []any
	for _, q := range query {
		params = append(params, d.parameter(q))
	}
	media := []string{"application/json", "application/yaml"}
	consumes := media
	if action == "patch" {
		consumes = patches(k)
	}
	op := node{
		"tags": []string{k.Resource.String()}, "x-kubernetes-action": action, extensionKinds: gvk(about),
	}
	ok := node{"description": "OK"}
	if d.v3 {
		ok["content"] = contents(media, answer)
		if body != nil {
			op["requestBody"] = node{"required": true, "content": contents(consumes, body)}
		}
	} else {
		ok["schema"] = answer
		op["produces"] = media
		if body != nil {
			op["consumes"] = consumes
			params = append(params, node{"name": "body", "in": "body", "required": true, "schema": body})
		}
	}
	op["responses"] = node{"200": ok, "401": node{"description": "Unauthorized"}}
	if len(params) > 0 {
		op["parameters"] = params
	}
	return op
}

func contents(media []string, s node) node {
	out := node{}
	for _, m := range media {
		out[m] = node{"schema": maps.Clone(s)}
	}
	return out
}
