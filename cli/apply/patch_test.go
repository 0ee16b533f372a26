package apply

import (
	"encoding/json"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/skerry/skerry/schemas"
)

var deployments = &schemas.Kind{
	Resource: schemas.Deployments, Version: "v1", Kind: "Deployment", Singular: "deployment", Namespaced: true,
	New: func() schemas.Object { return &appsv1.Deployment{} },
}

func parse(t *testing.T, s string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(s), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestThreeWay(t *testing.T) {
	const meta = `"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"default"}`
	tests := []struct {
		name                  string
		last, manifest, extra string // extra: what others wrote into the live object
		want                  string // the patch's spec, or "" for no patch
	}{
		{"unchanged", `"replicas":2`, `"replicas":2`, ``, ``},
		{"changed", `"replicas":2`, `"replicas":3`, ``, `{"replicas":3}`},
		{"removed from the manifest", `"replicas":2,"paused":true`, `"replicas":2`, ``, `{"paused":null}`},
		{"somebody else's field stays", `"replicas":2`, `"replicas":2`, `,"minReadySeconds":5`, ``},
		{"somebody scaled: put back", `"replicas":2`, `"replicas":2`, `,"replicas":7`, `{"replicas":2}`},
		{
			"containers merge by name",
			`"template":{"spec":{"containers":[{"name":"a","image":"x"}]}}`,
			`"template":{"spec":{"containers":[{"name":"a","image":"y"}]}}`, ``,
			`{"template":{"spec":{"$setElementOrder/containers":[{"name":"a"}],"containers":[{"image":"y","name":"a"}]}}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			current, err := Annotated(parse(t, `{`+meta+`,"spec":{`+tt.last+`}}`))
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range parse(t, `{"_":0`+tt.extra+`}`) {
				if k != "_" {
					current["spec"].(map[string]any)[k] = v
				}
			}
			modified, err := Annotated(parse(t, `{`+meta+`,"spec":{`+tt.manifest+`}}`))
			if err != nil {
				t.Fatal(err)
			}
			patch, err := threeWay(deployments, modified, current)
			if err != nil {
				t.Fatal(err)
			}
			checkSpec(t, patch, tt.want)
		})
	}
}

func checkSpec(t *testing.T, patch []byte, want string) {
	t.Helper()
	if want == "" {
		if string(patch) != "{}" {
			t.Fatalf("patch %s, want none", patch)
		}
		return
	}
	spec, err := json.Marshal(parse(t, string(patch))["spec"])
	if err != nil {
		t.Fatal(err)
	}
	if string(spec) != want {
		t.Fatalf("patch of spec %s, want %s", spec, want)
	}
}
