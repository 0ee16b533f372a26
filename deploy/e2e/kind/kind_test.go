package kind

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
)

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

func object(name, colour string, more ...any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "sea.example.com/v1", "kind": "Seal",
		"metadata": map[string]any{"name": name, "labels": map[string]any{"colour": colour}},
		"spec":     map[string]any{"colour": colour},
	}}
	for i := 0; i+1 < len(more); i += 2 {
		if err := unstructured.SetNestedField(u.Object, more[i+1], strings.Split(more[i].(string), ".")...); err != nil {
			panic(err)
		}
	}
	return u
}

// eventually waits for ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 40*time.Second, true, func(context.Context) (bool, error) { return ok(), nil }); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// ready waits until the cluster has its first namespace.
func (c clients) ready(t *testing.T) {
	t.Helper()
	eventually(t, "the cluster serves", func() bool {
		_, err := c.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Get(t.Context(), "default", metav1.GetOptions{})
		return err == nil
	})
}

// TestKindThatComesAndGoes: the processes run already when the kind comes.
func TestKindThatComesAndGoes(t *testing.T) {
	r := start(t, nil)
	c := r.clients(t, "admin", "system:masters")
	c.ready(t)
	in := c.Resource(seals).Namespace("default")
	if _, err := in.List(t.Context(), metav1.ListOptions{}); !apierrors.IsNotFound(err) {
		t.Fatalf("before it is there: %v", err)
	}
	k := seal(t)
	if err := r.table.Put(k); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]func(*testing.T, *rig, clients, dynamic.ResourceInterface){
		"discovery": discovered, "writes": writes, "lists": lists, "watches": watches, "patches": patched, "apply": applied, "forms": forms,
		"status and scale": parts, "deletion": deletion, "access": access, "revisions": revisions, "fields": fields,
	} {
		t.Run(name, func(t *testing.T) { test(t, r, c, in) })
	}
	w, err := in.Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !r.table.Remove(k.Resource) {
		t.Fatal("not removed")
	}
	for e := range w.ResultChan() { // until it ends
		if e.Type == watch.Error {
			t.Errorf("the watch ended with %v", e.Object)
		}
	}
	if _, err := in.List(t.Context(), metav1.ListOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("after it has gone: %v", err)
	}
	if _, err := c.discovery.ServerResourcesForGroupVersion("sea.example.com/v1"); !apierrors.IsNotFound(err) {
		t.Errorf("discovery after it has gone: %v", err)
	}
}

func discovered(t *testing.T, _ *rig, c clients, _ dynamic.ResourceInterface) {
	l, err := c.discovery.ServerResourcesForGroupVersion("sea.example.com/v1") // legacy
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range l.APIResources {
		names = append(names, r.Name)
	}
	if got := strings.Join(names, " "); got != "seals seals/scale seals/status" {
		t.Errorf("discovered %s", got)
	}
	_, all, _, err := c.discovery.GroupsAndMaybeResources() // aggregated
	if l := all[schema.GroupVersion{Group: "sea.example.com", Version: "v1"}]; err != nil || l == nil || l.APIResources[0].Kind != "Seal" {
		t.Errorf("aggregated: %v, %v", l, err)
	}
	paths, err := c.discovery.OpenAPIV3().Paths()
	if err != nil {
		t.Fatal(err)
	}
	text, err := paths["apis/sea.example.com/v1"].Schema("application/json")
	var doc struct {
		Components struct{ Schemas map[string]json.RawMessage }
	}
	if err != nil || json.Unmarshal(text, &doc) != nil {
		t.Fatalf("OpenAPI: %v", err)
	}
	if s := string(doc.Components.Schemas["sea.example.com.v1.Seal"]); !strings.Contains(s, `"colour"`) || !strings.Contains(s, "A Seal hauls out.") || !strings.Contains(s, "ObjectMeta") {
		t.Errorf("described as %s", s)
	}
	if v2, err := c.discovery.OpenAPISchema(); err != nil || !strings.Contains(v2.String(), "sea.example.com.v1.Seal") {
		t.Errorf("OpenAPI v2 has no seal: %v", err)
	}
}

func writes(t *testing.T, _ *rig, _ clients, in dynamic.ResourceInterface) {
	made, err := in.Create(t.Context(), object("w", "grey"), metav1.CreateOptions{})
	if err != nil || made.GetUID() == "" || made.GetGeneration() != 1 || made.GetCreationTimestamp() == (metav1.Time{}) || len(made.GetManagedFields()) != 1 {
		t.Fatalf("created %v, %v", made, err)
	}
	if _, err := in.Create(t.Context(), object("w", "grey"), metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("again: %v", err)
	}
	if _, err := in.Create(t.Context(), object("W_", "grey"), metav1.CreateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("a wrong name: %v", err)
	}
	got, err := in.Get(t.Context(), "w", metav1.GetOptions{})
	if err != nil || got.Object["writtenBy"] != nil || len(got.Object) != 4 {
		t.Fatalf("got %v, %v", got, err)
	}
	old := got.DeepCopy()
	_ = unstructured.SetNestedField(got.Object, "brown", "spec", "colour")
	changed, err := in.Update(t.Context(), got, metav1.UpdateOptions{})
	if err != nil || changed.GetGeneration() != 2 || changed.GetResourceVersion() == old.GetResourceVersion() {
		t.Fatalf("updated to %v, %v", changed, err)
	}
	if _, err := in.Update(t.Context(), old, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("an old version: %v", err)
	}
}

func lists(t *testing.T, _ *rig, c clients, in dynamic.ResourceInterface) {
	other := c.Resource(seals).Namespace("kube-system")
	for name, colour := range map[string]string{"l1": "white", "l2": "black", "l3": "white"} {
		if _, err := other.Create(t.Context(), object(name, colour), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range []metav1.ListOptions{{LabelSelector: "colour=white"}, {FieldSelector: "spec.colour=white"}, {FieldSelector: "spec.colour!=black"}} {
		l, err := other.List(t.Context(), o)
		if err != nil || len(l.Items) != 2 || l.Items[0].GetName() != "l1" || l.GetKind() != "SealList" {
			t.Errorf("%v: %v, %v", o, l, err)
		}
	}
	if _, err := in.List(t.Context(), metav1.ListOptions{FieldSelector: "spec.age=1"}); !apierrors.IsBadRequest(err) {
		t.Errorf("a field that is not to be selected by: %v", err)
	}
	first, err := other.List(t.Context(), metav1.ListOptions{Limit: 2})
	if err != nil || len(first.Items) != 2 || first.GetContinue() == "" {
		t.Fatalf("a page: %v, %v", first, err)
	}
	if _, err := other.Create(t.Context(), object("l4", "white"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	rest, err := other.List(t.Context(), metav1.ListOptions{Limit: 2, Continue: first.GetContinue()})
	if err != nil || len(rest.Items) != 1 || rest.Items[0].GetName() != "l3" || rest.GetResourceVersion() != first.GetResourceVersion() {
		t.Errorf("the next page: %v, %v", rest, err)
	}
	if err := other.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "colour=white"}); err != nil {
		t.Fatal(err)
	}
	if l, err := other.List(t.Context(), metav1.ListOptions{}); err != nil || len(l.Items) != 1 {
		t.Errorf("left: %v, %v", l, err)
	}
}

func watches(t *testing.T, _ *rig, _ clients, in dynamic.ResourceInterface) {
	made, err := in.Create(t.Context(), object("v", "grey"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	o := metav1.ListOptions{FieldSelector: "metadata.name=v", ResourceVersion: made.GetResourceVersion(), AllowWatchBookmarks: true}
	w, err := in.Watch(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	made.SetAnnotations(map[string]string{"a": "b"})
	if _, err := in.Update(t.Context(), made, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := in.Delete(t.Context(), "v", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []watch.EventType{watch.Modified, watch.Deleted} {
		e := <-w.ResultChan()
		if u, ok := e.Object.(*unstructured.Unstructured); e.Type != want || !ok || u.GetAnnotations()["a"] != "b" || u.Object["writtenBy"] != nil {
			t.Errorf("event %v, want %s", e, want)
		}
	}
	yes := true
	initial, err := in.Watch(t.Context(), metav1.ListOptions{SendInitialEvents: &yes, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, AllowWatchBookmarks: true})
	if err != nil {
		t.Fatal(err)
	}
	defer initial.Stop()
	for e := range initial.ResultChan() {
		if e.Type == watch.Bookmark {
			if u, ok := e.Object.(*unstructured.Unstructured); !ok || u.GetAnnotations()[metav1.InitialEventsAnnotationKey] != "true" || u.GetKind() != "Seal" {
				t.Errorf("bookmark %v", e.Object)
			}
			return
		}
	}
	t.Error("no bookmark after the initial events")
}

func patched(t *testing.T, _ *rig, _ clients, in dynamic.ResourceInterface) {
	if _, err := in.Create(t.Context(), object("p", "grey"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for pt, patch := range map[types.PatchType]string{
		types.JSONPatchType:  `[{"op":"replace","path":"/spec/colour","value":"red"}]`,
		types.MergePatchType: `{"spec":{"colour":"blue"}}`,
	} {
		got, err := in.Patch(t.Context(), "p", pt, []byte(patch), metav1.PatchOptions{})
		if err != nil {
			t.Errorf("%s: %v", pt, err)
		} else if colour, _, _ := unstructured.NestedString(got.Object, "spec", "colour"); !strings.Contains(patch, colour) {
			t.Errorf("%s: %v", pt, got)
		}
	}
	if _, err := in.Patch(t.Context(), "p", types.StrategicMergePatchType, []byte(`{"spec":{"colour":"red"}}`), metav1.PatchOptions{}); !apierrors.IsUnsupportedMediaType(err) {
		t.Errorf("strategic: %v", err)
	}
}

// applied: the schema says that pups are told apart by name.
func applied(t *testing.T, _ *rig, _ clients, in dynamic.ResourceInterface) {
	pup := func(name string, age int64) []any { return []any{map[string]any{"name": name, "age": age}} }
	if _, err := in.Apply(t.Context(), "a", object("a", "grey", "spec.pups", pup("x", 1)), metav1.ApplyOptions{FieldManager: "one"}); err != nil {
		t.Fatal(err)
	}
	second := object("a", "grey", "spec.pups", pup("y", 2))
	got, err := in.Apply(t.Context(), "a", second, metav1.ApplyOptions{FieldManager: "two"})
	if err != nil {
		t.Fatal(err)
	}
	if pups, _, _ := unstructured.NestedSlice(got.Object, "spec", "pups"); len(pups) != 2 || len(got.GetManagedFields()) != 2 {
		t.Errorf("applied to %v", got)
	}
	if _, err := in.Apply(t.Context(), "a", object("a", "pink"), metav1.ApplyOptions{FieldManager: "two"}); !apierrors.IsConflict(err) {
		t.Errorf("another's field: %v", err)
	}
	got, err = in.Apply(t.Context(), "a", object("a", "pink"), metav1.ApplyOptions{FieldManager: "two", Force: true})
	if err != nil {
		t.Fatal(err)
	}
	if pups, _, _ := unstructured.NestedSlice(got.Object, "spec", "pups"); len(pups) != 1 {
		t.Errorf("what two applies no more is still there: %v", got)
	}
}

func forms(t *testing.T, r *rig, c clients, in dynamic.ResourceInterface) {
	if _, err := in.Create(t.Context(), object("f", "grey"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := c.metadata.Resource(seals).Namespace("default").Get(t.Context(), "f", metav1.GetOptions{})
	if err != nil || got.Labels["colour"] != "grey" {
		t.Errorf("metadata: %v, %v", got, err)
	}
	text, err := c.discovery.RESTClient().Get().AbsPath("/apis/sea.example.com/v1/namespaces/default/seals").
		Param("fieldSelector", "metadata.name=f").SetHeader("Accept", "application/json;as=Table;g=meta.k8s.io;v=v1").DoRaw(t.Context())
	var table metav1.Table
	if err != nil || json.Unmarshal(text, &table) != nil || len(table.Rows) != 1 || len(table.ColumnDefinitions) != 4 {
		t.Fatalf("table: %s, %v", text, err)
	}
	if cells := table.Rows[0].Cells; cells[0] != "f" || cells[1] != "grey" || cells[2] != "" || table.ColumnDefinitions[1].Name != "Colour" {
		t.Errorf("row %v of %v", cells, table.ColumnDefinitions)
	}
}

func parts(t *testing.T, _ *rig, c clients, in dynamic.ResourceInterface) {
	made, err := in.Create(t.Context(), object("s", "grey", "status.phase", "Ignored", "spec.replicas", int64(3)), metav1.CreateOptions{})
	if err != nil || made.Object["status"] != nil {
		t.Fatalf("created with its status: %v, %v", made, err)
	}
	_ = unstructured.SetNestedField(made.Object, "Ashore", "status", "phase")
	_ = unstructured.SetNestedField(made.Object, int64(2), "status", "replicas")
	_ = unstructured.SetNestedField(made.Object, "ignored", "spec", "colour")
	var got *unstructured.Unstructured
	eventually(t, "the controller takes a status", func() bool {
		got, err = in.UpdateStatus(t.Context(), made, metav1.UpdateOptions{})
		return err == nil
	})
	phase, _, _ := unstructured.NestedString(got.Object, "status", "phase")
	colour, _, _ := unstructured.NestedString(got.Object, "spec", "colour")
	if phase != "Ashore" || colour != "grey" || got.GetGeneration() != 1 {
		t.Errorf("after a status: %v", got)
	}
	scale, err := in.Get(t.Context(), "s", metav1.GetOptions{}, "scale")
	if n, _, _ := unstructured.NestedInt64(scale.Object, "spec", "replicas"); err != nil || n != 3 {
		t.Errorf("scale: %v, %v", scale, err)
	}
	if _, err := in.Patch(t.Context(), "s", types.MergePatchType, []byte(`{"spec":{"replicas":5}}`), metav1.PatchOptions{}, "scale"); err != nil {
		t.Fatal(err)
	}
	got, err = in.Get(t.Context(), "s", metav1.GetOptions{})
	if n, _, _ := unstructured.NestedInt64(got.Object, "spec", "replicas"); err != nil || n != 5 || got.GetGeneration() != 2 {
		t.Errorf("after a scale: %v, %v", got, err)
	}
}

// owned makes a ConfigMap that owner owns.
func owned(t *testing.T, c clients, name string, owner *unstructured.Unstructured) {
	t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name}}}
	u.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: owner.GetAPIVersion(), Kind: owner.GetKind(), Name: owner.GetName(), UID: owner.GetUID()}})
	if _, err := c.Resource(configMaps).Namespace("default").Create(t.Context(), u, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func deletion(t *testing.T, _ *rig, c clients, in dynamic.ResourceInterface) {
	o := object("d", "grey")
	o.SetFinalizers([]string{"sea.example.com/tide"})
	made, err := in.Create(t.Context(), o, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	owned(t, c, "of-d", made)
	if err := in.Delete(t.Context(), "d", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := in.Get(t.Context(), "d", metav1.GetOptions{})
	if err != nil || got.GetDeletionTimestamp() == nil {
		t.Fatalf("its finalizer did not hold it: %v, %v", got, err)
	}
	if _, err := in.Patch(t.Context(), "d", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Get(t.Context(), "d", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("without a finalizer: %v", err)
	}
	eventually(t, "what it owned goes", func() bool {
		_, err := c.Resource(configMaps).Namespace("default").Get(t.Context(), "of-d", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}

func access(t *testing.T, r *rig, c clients, _ dynamic.ResourceInterface) {
	rbac := func(resource string) dynamic.ResourceInterface {
		return c.Resource(schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: resource}).Namespace("default")
	}
	nan := r.clients(t, "nan").Resource(seals).Namespace("default")
	if _, err := nan.List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("without a role: %v", err)
	}
	give := func(resource, text string) {
		t.Helper()
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := rbac(resource).Create(t.Context(), u, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	give("roles", `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"seals"},"rules":[{"apiGroups":["sea.example.com"],"resources":["seals"],"verbs":["list"]}]}`)
	give("rolebindings", `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"seals"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"seals"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"nan"}]}`)
	if _, err := nan.List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("with a role: %v", err)
	}
	if _, err := nan.Create(t.Context(), object("n", "grey"), metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("what the role does not have: %v", err)
	}
}

func revisions(t *testing.T, r *rig, _ clients, in dynamic.ResourceInterface) {
	made, err := in.Create(t.Context(), object("r", "grey"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_ = unstructured.SetNestedField(made.Object, "brown", "spec", "colour")
	if _, err := in.Update(t.Context(), made, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	client := api.NewClient(r.bus.Inside(t, "admin"), kinds.Table()) // of an older program
	history, err := client.History(t.Context(), schemas.Ref{Resource: schemas.Resource{Group: seals.Group, Plural: seals.Resource}, Namespace: "default", Name: "r"})
	if err != nil || len(history) != 2 || !strings.Contains(string(history[0].Object), `"grey"`) || strings.Contains(string(history[0].Object), "writtenBy") {
		t.Fatalf("history %v, %v", history, err)
	}
	var old unstructured.Unstructured
	if err := old.UnmarshalJSON(history[0].Object); err != nil {
		t.Fatal(err)
	}
	back, err := in.Update(t.Context(), &old, metav1.UpdateOptions{})
	if colour, _, _ := unstructured.NestedString(back.Object, "spec", "colour"); err != nil || colour != "grey" || back.GetGeneration() != 3 {
		t.Errorf("rolled back to %v, %v", back, err)
	}
}

// fields: what the schema does not name is told of, refused or dropped, as in Kubernetes.
func fields(t *testing.T, _ *rig, _ clients, in dynamic.ResourceInterface) {
	odd := object("o", "grey", "spec.color", "gray", "writtenBy", "me")
	_, err := in.Create(t.Context(), odd, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	if !apierrors.IsBadRequest(err) || !strings.Contains(err.Error(), `unknown field "spec.color"`) || !strings.Contains(err.Error(), `unknown field "writtenBy"`) {
		t.Errorf("strict: %v", err)
	}
	got, err := in.Create(t.Context(), odd, metav1.CreateOptions{FieldValidation: metav1.FieldValidationIgnore})
	if err != nil {
		t.Fatal(err)
	}
	if _, has, _ := unstructured.NestedString(got.Object, "spec", "color"); has || got.Object["writtenBy"] != nil {
		t.Errorf("stored %v", got)
	}
}
