package shape_test

import (
	"encoding/json"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas/shape"
)

func TestFields(t *testing.T) {
	fields := map[string]shape.Field{}
	for _, f := range shape.Fields(reflect.TypeFor[corev1.Volume]()) {
		if _, twice := fields[f.Name]; twice {
			t.Errorf("%s is listed twice", f.Name)
		}
		fields[f.Name] = f
	}
	if f := fields["name"]; !f.Required || f.Owner != reflect.TypeFor[corev1.Volume]() {
		t.Errorf("name: %+v", f)
	}
	inlined := fields["emptyDir"]
	if inlined.Required || inlined.Owner != reflect.TypeFor[corev1.VolumeSource]() || len(inlined.Index) != 2 {
		t.Errorf("emptyDir: %+v", inlined)
	}
	v := corev1.Volume{VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: "Memory"}}}
	if got := reflect.ValueOf(v).FieldByIndex(inlined.Index).Interface(); got != v.EmptyDir {
		t.Errorf("the index leads to %v", got)
	}
}

// The names are those that encoding/json writes.
func TestFieldsAgreeWithJSON(t *testing.T) {
	for _, obj := range []any{corev1.Pod{}, corev1.PodSpec{}, corev1.Event{}, metav1.LabelSelector{}} {
		data, err := json.Marshal(obj)
		if err != nil {
			t.Fatal(err)
		}
		var written map[string]any
		if err := json.Unmarshal(data, &written); err != nil {
			t.Fatal(err)
		}
		for _, f := range shape.Fields(reflect.TypeOf(obj)) {
			delete(written, f.Name)
		}
		if len(written) > 0 {
			t.Errorf("%T: %v are not listed", obj, written)
		}
	}
}

func TestOpaque(t *testing.T) {
	if !shape.Opaque(reflect.TypeFor[resource.Quantity]()) || !shape.Opaque(reflect.TypeFor[metav1.Time]()) || shape.Opaque(reflect.TypeFor[corev1.Pod]()) {
		t.Error("quantities and times are opaque, pods are not")
	}
	if !shape.Bytes(reflect.TypeFor[[]byte]()) || shape.Bytes(reflect.TypeFor[[]string]()) {
		t.Error("[]byte is bytes, []string is not")
	}
}

// A type that contains itself ends where it does.
func TestLeavesOfRecursiveTypes(t *testing.T) {
	type knot struct {
		Name string `json:"name"`
		Ties []knot `json:"ties"`
	}
	var got []string
	shape.Leaves(reflect.TypeFor[knot](), "", func(string) bool { return false }, func(p string) { got = append(got, p) })
	if want := []string{"name", "ties[]"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
