package managed

import (
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
)

func TestEveryKindHasASchema(t *testing.T) {
	f := New(kinds.Table())
	for _, k := range kinds.Table().All() {
		obj := k.New()
		obj.SetName("x")
		obj.SetLabels(map[string]string{"a": "b"})
		got := f.Update(k, "", k.New(), obj, "me")
		fields := got.GetManagedFields()
		if len(fields) != 1 || fields[0].Manager != "me" || !strings.Contains(string(fields[0].FieldsV1.Raw), "f:labels") {
			t.Errorf("%s: %+v", k.Kind, fields)
		}
	}
}

func TestApplyMergesListsByKey(t *testing.T) {
	f := New(kinds.Table())
	k := kinds.Table().ByResource(schemas.Pods)
	const head = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[`
	live, err := f.Apply(k, "", k.New(), []byte(head+`{"name":"a","image":"x"}]}}`), "one", false)
	if err != nil {
		t.Fatal(err)
	}
	live.SetUID("u")
	live, err = f.Apply(k, "", live, []byte(head+`{"name":"b","image":"y"}]}}`), "two", false)
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := live.(*v1.Pod); !ok || len(p.Spec.Containers) != 2 || p.Spec.RestartPolicy != v1.RestartPolicyAlways {
		t.Errorf("merged: %+v", live)
	}
	_, err = f.Apply(k, "", live, []byte(head+`{"name":"a","image":"z"}]}}`), "two", false)
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `.spec.containers[name="a"].image`) {
		t.Errorf("got %v, want a conflict", err)
	}
}

func TestBadConfigurations(t *testing.T) {
	f := New(kinds.Table())
	k := kinds.Table().ByResource(schemas.ConfigMaps)
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 'b'; i < 'm'; i++ {
		bomb += string(i) + ": &" + string(i) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(i-1)+",", 10), ",") + "]\n"
	}
	for name, config := range map[string]string{
		"empty": "", "not an object": "[1]", "truncated": `{"apiVersion":"v1"`, "bomb": bomb,
		"other version": `{"apiVersion":"v2","kind":"ConfigMap"}`, "managedFields": `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"managedFields":[]}}`,
		"wrong type": `{"apiVersion":"v1","kind":"ConfigMap","data":[]}`,
	} {
		if _, err := f.Apply(k, "", k.New(), []byte(config), "me", false); err == nil || err.(apierrors.APIStatus).Status().Code/100 != 4 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDeducedTypes(t *testing.T) {
	k := &schemas.Kind{Resource: schemas.Resource{Group: "example.com", Plural: "widgets"}, Version: "v1", Kind: "Widget"}
	k.New = func() schemas.Object {
		return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "example.com/v1", "kind": "Widget"}}
	}
	f := New(schemas.NewTable(k))
	got, err := f.Apply(k, "", k.New(), []byte(`{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w"},"spec":{"a":1}}`), "me", false)
	if err != nil || got.GetName() != "w" || len(got.GetManagedFields()) != 1 || got.GetManagedFields()[0].Operation != metav1.ManagedFieldsOperationApply {
		t.Errorf("got %+v, %v", got, err)
	}
}

func BenchmarkFirstUse(b *testing.B) {
	b.ReportAllocs()
	k := kinds.Table().ByResource(schemas.ConfigMaps)
	for range b.N {
		f := New(kinds.Table())
		f.Update(k, "", k.New(), k.New(), "me")
	}
}

func BenchmarkUpdate(b *testing.B) {
	b.ReportAllocs()
	f := New(kinds.Table())
	k := kinds.Table().ByResource(schemas.Pods)
	p := &v1.Pod{TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: v1.PodSpec{Containers: []v1.Container{{Name: "c", Image: "i"}}}}
	for range b.N {
		f.Update(k, "", k.New(), p.DeepCopy(), "me")
	}
}
