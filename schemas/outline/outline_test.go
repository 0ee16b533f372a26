package outline_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
	"github.com/skerry/skerry/schemas/outline"
)

var described = outline.Outline{
	Group: "sea.example.com", Version: "v1", Kind: "Seal", Plural: "seals", Singular: "seal", ShortNames: []string{"se"}, Namespaced: true,
	Status: true, Scale: &schemas.Scale{Replicas: "spec.pups", Status: "status.pups", Selector: "status.selector"},
	Columns: []outline.Column{
		{Name: "NAME", Path: ".metadata.name"}, {Name: "COLOUR", Path: ".spec.colour"}, {Name: "WEIGHT", Path: ".spec.weight", Wide: true},
		{Name: "SEEN", Path: ".status.seen", Date: true},
	},
	Selectable: []string{"spec.colour"},
}

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return u
}

// TestOutlineThereAndBack: what is sent of a kind makes the same kind elsewhere.
func TestOutlineThereAndBack(t *testing.T) {
	k, err := described.Entry()
	if err != nil {
		t.Fatal(err)
	}
	sent := outline.Of(k)
	text, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	var got outline.Outline
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, sent) {
		t.Errorf("got %+v\nwant %+v", got, sent)
	}
	got.Verbs = nil
	if !reflect.DeepEqual(got, described) {
		t.Errorf("got %+v\nwant %+v", got, described)
	}
}

func TestEntry(t *testing.T) {
	k, err := described.Entry()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	o := object(t, `{"apiVersion":"sea.example.com/v1","kind":"Seal","metadata":{"name":"a"},"spec":{"colour":"grey","weight":300},"status":{"seen":"2029-12-31T23:00:00Z"}}`)
	var cells []string
	for _, c := range k.Columns {
		cells = append(cells, c.Value(o, now))
	}
	if want := []string{"a", "grey", "300", "60m"}; !reflect.DeepEqual(cells, want) {
		t.Errorf("cells %q, want %q", cells, want)
	}
	if got := k.Selectable["spec.colour"](o); got != "grey" {
		t.Errorf("selected by %q", got)
	}
	if errs := k.Validate(o); len(errs) != 1 || errs[0].Field != "metadata.namespace" {
		t.Errorf("validated: %v", errs)
	}
	if got := k.New().GetObjectKind().GroupVersionKind(); got != k.GroupVersionKind() {
		t.Errorf("New makes a %s", got)
	}
	for _, s := range []string{"status", "scale"} {
		if !k.Has(s) {
			t.Errorf("it has no %s", s)
		}
	}
}

func TestWrongOutlines(t *testing.T) {
	for name, change := range map[string]func(*outline.Outline){
		"a group":   func(o *outline.Outline) { o.Group = "a_b" },
		"a path":    func(o *outline.Outline) { o.Plural = "a/b" },
		"no kind":   func(o *outline.Outline) { o.Kind = "" },
		"a version": func(o *outline.Outline) { o.Version = "1" },
		"a column":  func(o *outline.Outline) { o.Columns = []outline.Column{{Name: "X", Path: ".spec["}} },
	} {
		o := described
		change(&o)
		if _, err := o.Entry(); err == nil {
			t.Errorf("%s: it became an entry", name)
		}
	}
}

// TestOfBuiltIn: a kind with a Go type can be told of, too.
func TestOfBuiltIn(t *testing.T) {
	for _, k := range kinds.Table().All() {
		o := outline.Of(k)
		if o.Kind != k.Kind || o.Version != k.Version || len(o.Verbs) == 0 {
			t.Errorf("%s: %+v", k.Resource, o)
		}
	}
}

func TestPrune(t *testing.T) {
	var s spec.Schema
	if err := json.Unmarshal([]byte(`{"type":"object","properties":{
		"spec":{"type":"object","properties":{
			"colour":{"type":"string"},
			"pups":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"}}}},
			"tags":{"type":"object","additionalProperties":{"type":"object","properties":{"by":{"type":"string"}}}},
			"any":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"known":{"type":"object"}}},
			"whole":{"type":"object","x-kubernetes-embedded-resource":true}}}}}`), &s); err != nil {
		t.Fatal(err)
	}
	o := object(t, `{"apiVersion":"sea.example.com/v1","kind":"Seal","metadata":{"name":"a"},"more":1,"spec":{
		"colour":"grey","color":"gray","pups":[{"name":"x"},{"name":"y","age":1}],"tags":{"t":{"by":"b","at":"c"}},
		"any":{"thing":{"goes":true},"known":{"not":1}},"whole":{"kind":"K","apiVersion":"v1","metadata":{},"spec":{}}}}`)
	got := outline.Prune(o.Object, &s)
	want := []string{"more", "spec.any.known.not", "spec.color", "spec.pups[1].age", "spec.tags.t.at", "spec.whole.spec"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("pruned %q, want %q", got, want)
	}
	if again := outline.Prune(o.Object, &s); len(again) != 0 {
		t.Errorf("and again %q", again)
	}
	if kept, _, _ := unstructured.NestedBool(o.Object, "spec", "any", "thing", "goes"); !kept {
		t.Error("what is to be preserved is gone")
	}
}
