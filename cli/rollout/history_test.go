package rollout

import (
	"encoding/json"
	"testing"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// state makes one kept state: a Deployment with an image, and the revision that the
// controller had written by then.
func state(image, revision string) api.Revision {
	content := map[string]any{
		"metadata": map[string]any{"name": "web", "annotations": map[string]any{annotationRevision: revision}},
		"spec":     map[string]any{"template": map[string]any{"spec": map[string]any{"image": image}}},
	}
	b, err := json.Marshal(content)
	if err != nil {
		panic(err)
	}
	return api.Revision{Object: b}
}

func TestDeploymentHistory(t *testing.T) {
	kind := &schemas.Kind{Resource: schemas.Deployments}
	tests := []struct {
		name string
		kept []api.Revision
		want []int64
	}{
		{"nothing kept", nil, nil},
		{"first rollout, annotated later", []api.Revision{state("a", ""), state("a", "1")}, []int64{1}},
		{"two templates", []api.Revision{state("a", "1"), state("b", "1"), state("b", "2")}, []int64{1, 2}},
		{"a template that never rolled out", []api.Revision{state("a", "1"), state("b", "1"), state("c", "1"), state("c", "2")}, []int64{1, 2}},
		{"the last one not rolled out yet", []api.Revision{state("a", "1"), state("b", "1")}, []int64{1}},
		{"scaled in between", []api.Revision{state("a", "1"), state("a", "1"), state("a", "1")}, []int64{1}},
		{"back to the first", []api.Revision{state("a", "1"), state("b", "1"), state("b", "2"), state("a", "2"), state("a", "3")}, []int64{2, 3}},
		{"back and forth", []api.Revision{state("a", "1"), state("b", "2"), state("a", "3"), state("b", "4")}, []int64{3, 4}},
		{"never observed", []api.Revision{state("a", "")}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := History(kind, tt.kept)
			if err != nil {
				t.Fatal(err)
			}
			checkNumbers(t, got, tt.want)
		})
	}
}

func checkNumbers(t *testing.T, got []Entry, want []int64) {
	t.Helper()
	var numbers []int64
	for _, e := range got {
		numbers = append(numbers, e.Number)
	}
	if len(numbers) != len(want) {
		t.Fatalf("revisions %v, want %v", numbers, want)
	}
	for i := range want {
		if numbers[i] != want[i] {
			t.Fatalf("revisions %v, want %v", numbers, want)
		}
	}
}

func configMap(value string, number int64) api.Revision {
	b, err := json.Marshal(map[string]any{"metadata": map[string]any{"name": "c"}, "data": map[string]any{"k": value}})
	if err != nil {
		panic(err)
	}
	return api.Revision{Object: b, Number: number}
}

func TestOtherKindsHistory(t *testing.T) {
	kind := &schemas.Kind{Resource: schemas.ConfigMaps}
	tests := []struct {
		name string
		kept []api.Revision
		want []int64
	}{
		{"by number", []api.Revision{configMap("a", 3), configMap("b", 4)}, []int64{3, 4}},
		{"by place where numbers do not rise", []api.Revision{configMap("a", 0), configMap("b", 0)}, []int64{1, 2}},
		{"same data is one revision", []api.Revision{configMap("a", 1), configMap("a", 2), configMap("b", 3)}, []int64{2, 3}},
		{"coming back is a new one", []api.Revision{configMap("a", 1), configMap("b", 2), configMap("a", 3)}, []int64{1, 2, 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := History(kind, tt.kept)
			if err != nil {
				t.Fatal(err)
			}
			checkNumbers(t, got, tt.want)
		})
	}
}

func TestPick(t *testing.T) {
	three := []Entry{{Number: 1}, {Number: 3}, {Number: 4}}
	tests := []struct {
		name    string
		entries []Entry
		number  int64
		want    int64
		bad     bool
	}{
		{"the one before", three, 0, 3, false},
		{"by number", three, 1, 1, false},
		{"a number that is not there", three, 2, 0, true},
		{"only one", three[:1], 0, 0, true},
		{"none", nil, 0, 0, true},
		{"deleted: its last state", []Entry{{Number: 1}, {Number: 2, Deleted: true}}, 0, 2, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Pick(tt.entries, tt.number)
			if (err != nil) != tt.bad || got.Number != tt.want {
				t.Fatalf("got %d, %v", got.Number, err)
			}
		})
	}
}
