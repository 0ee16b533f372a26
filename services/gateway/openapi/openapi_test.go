package openapi

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	openapi_v2 "github.com/google/gnostic-models/openapiv2"
	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	protomodels "k8s.io/kube-openapi/pkg/util/proto"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
)

func read(t *testing.T, d *Document) map[string]any {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(d.Gzip))
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.NewDecoder(z).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// walk calls f with every object of a document.
func walk(v any, f func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(v)
		for _, inner := range v {
			walk(inner, f)
		}
	case []any:
		for _, inner := range v {
			walk(inner, f)
		}
	}
}

// at follows keys.
func at(t *testing.T, v any, keys ...string) map[string]any {
	t.Helper()
	for _, k := range keys {
		m, _ := v.(map[string]any)
		if v = m[k]; v == nil {
			t.Fatalf("no %s of %v", k, keys)
		}
	}
	m, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("%v is %T", keys, v)
	}
	return m
}

// complete checks that every reference leads somewhere, and returns the kinds described.
func complete(t *testing.T, doc, schemas map[string]any, prefix string) []string {
	t.Helper()
	walk(doc, func(m map[string]any) {
		ref, ok := m["$ref"].(string)
		if !ok {
			return
		}
		if schemas[strings.TrimPrefix(ref, prefix)] == nil {
			t.Errorf("%s leads nowhere", ref)
		}
		if prefix != "#/definitions/" && len(m) > 1 {
			t.Errorf("%s is not alone: %v", ref, m)
		}
	})
	var out []string
	for _, s := range schemas {
		list, _ := at(t, s)[extensionKinds].([]any)
		for _, k := range list {
			out = append(out, at(t, k)["kind"].(string))
		}
	}
	return out
}

func TestDocuments(t *testing.T) {
	all := kinds.Table().All()
	b := New("v1.0")
	d2, err := b.V2(all, JSON)
	if err != nil {
		t.Fatal(err)
	}
	v2 := read(t, d2)
	found := complete(t, v2, at(t, v2, "definitions"), "#/definitions/")
	for _, k := range all {
		d, err := b.V3(all, base(k.GroupVersion())[1:])
		if err != nil || d == nil {
			t.Fatalf("%s: %v", k.GroupVersion(), err)
		}
		v3 := read(t, d)
		own := complete(t, v3, at(t, v3, "components", "schemas"), "#/components/schemas/")
		for _, kind := range []string{k.Kind, k.Kind + "List"} {
			if !slices.Contains(own, kind) || !slices.Contains(found, kind) {
				t.Errorf("%s is not described", kind)
			}
		}
		if !slices.Contains(k.Verbs(), "patch") {
			continue
		}
		// kubectl looks here whether the server checks fields and tries changes out.
		item := base(k.GroupVersion()) + "/" + k.Resource.Plural + "/{name}"
		if k.Namespaced {
			item = base(k.GroupVersion()) + "/namespaces/{namespace}/" + k.Resource.Plural + "/{name}"
		}
		patch := at(t, v3, "paths", item, "patch")
		text, _ := json.Marshal(patch["parameters"])
		if !strings.Contains(string(text), `"fieldValidation"`) || !strings.Contains(string(text), `"dryRun"`) || at(t, patch, extensionKinds)["kind"] != k.Kind {
			t.Errorf("patch of %s: %v", k.Kind, patch)
		}
	}
	if d, err := b.V3(all, "apis/none/v1"); d != nil || err != nil {
		t.Errorf("a group that is not there: %v, %v", d, err)
	}
	if again, _ := b.V2(all, JSON); again != d2 {
		t.Error("made twice")
	}
}

func TestDetails(t *testing.T) {
	d, err := New("v1.0").V3(kinds.Table().All(), "api/v1")
	if err != nil {
		t.Fatal(err)
	}
	schemas := at(t, read(t, d), "components", "schemas")
	ports := at(t, schemas, "io.k8s.api.core.v1.Container", "properties", "ports")
	text, _ := json.Marshal(ports)
	for _, want := range []string{
		`"x-kubernetes-list-map-keys":["containerPort","protocol"]`, `"x-kubernetes-patch-merge-key":"containerPort"`, `"x-kubernetes-patch-strategy":"merge"`,
		`"type":"array"`, `"$ref":"#/components/schemas/io.k8s.api.core.v1.ContainerPort"`, `List of ports to expose`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("ports have no %s: %s", want, text)
		}
	}
	for name, want := range map[string]string{
		"io.k8s.apimachinery.pkg.apis.meta.v1.Time":       `"format":"date-time","type":"string"`,
		"io.k8s.apimachinery.pkg.util.intstr.IntOrString": `"oneOf":[{"type":"integer"},{"type":"string"}]`,
		"io.k8s.apimachinery.pkg.api.resource.Quantity":   `"oneOf":[{"type":"string"},{"type":"number"}]`,
	} {
		text, _ := json.Marshal(schemas[name])
		if !strings.Contains(string(text), want) {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// TestNewKinds: kinds that come later are described, also those without a Go type.
func TestNewKinds(t *testing.T) {
	b := New("v1.0")
	all := kinds.Table().All()
	before, err := b.V2(all, JSON)
	if err != nil {
		t.Fatal(err)
	}
	more := append(slices.Clone(all), &schemas.Kind{
		Resource: schemas.Resource{Group: "ex.io", Plural: "things"}, Version: "v1", Kind: "Thing", Singular: "thing",
		New: func() schemas.Object { return &unstructured.Unstructured{} },
	})
	after, err := b.V2(more, JSON)
	if err != nil || after.Hash == before.Hash {
		t.Errorf("not made anew: %v", err)
	}
	d, err := b.V3(more, "apis/ex.io/v1")
	if err != nil || d == nil {
		t.Fatalf("%v, %v", d, err)
	}
	if at(t, read(t, d), "components", "schemas", "ex.io.v1.Thing")["x-kubernetes-preserve-unknown-fields"] != true {
		t.Error("a kind without a type is closed")
	}
}

// TestProtobuf: client-go's reader finds in the message what the text says.
func TestProtobuf(t *testing.T) {
	b, all := New("v1.0"), kinds.Table().All()
	d, err := b.V2(all, Protobuf)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(d.Gzip))
	if err != nil {
		t.Fatal(err)
	}
	message, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var doc openapi_v2.Document
	if err := proto.Unmarshal(message, &doc); err != nil {
		t.Fatal(err)
	}
	models, err := protomodels.NewOpenAPIData(&doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"io.k8s.api.core.v1.Pod", "io.k8s.api.apps.v1.Deployment"} {
		m := models.LookupModel(name)
		if m == nil || m.GetExtensions()[extensionKinds] == nil || m.GetDescription() == "" {
			t.Errorf("%s: %v", name, m)
		}
	}
	pod, ok := models.LookupModel("io.k8s.api.core.v1.PodSpec").(*protomodels.Kind)
	if !ok || pod.Fields["containers"].GetExtensions()["x-kubernetes-patch-merge-key"] != "name" {
		t.Errorf("containers of a pod have no merge key: %v", pod)
	}
	text, err := b.V2(all, JSON)
	if err != nil || text == d || len(doc.GetDefinitions().GetAdditionalProperties()) != len(at(t, read(t, text), "definitions")) {
		t.Errorf("the text says something else: %v", err)
	}
}
