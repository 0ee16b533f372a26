package target

import (
	"strings"
	"testing"

	"github.com/skerry/skerry/schemas/kinds"
)

func TestParse(t *testing.T) {
	tests := []struct {
		args, items, kinds string
		multiple, bad      bool
	}{
		{args: "pods", kinds: "pods"},
		{args: "po", kinds: "pods"},
		{args: "Pod", kinds: "pods"},
		{args: "deploy,rs", kinds: "deployments.apps replicasets.apps", multiple: true},
		{args: "deployments.apps", kinds: "deployments.apps"},
		{args: "pod a b", items: "pod/a pod/b"},
		{args: "pod/a pods/b", items: "pod/a pod/b"},
		{args: "pod/a deploy/b", items: "pod/a deployment.apps/b", multiple: true},
		{args: "pod a/b", bad: true},
		{args: "pod/a b", bad: true},
		{args: "pod/", bad: true},
		{args: "/a", bad: true},
		{args: "nosuch", bad: true},
		{args: "pods,nosuch", bad: true},
		{args: "deploy,rs a", bad: true},
		{args: "", bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			w, err := Parse(kinds.Table(), strings.Fields(tt.args))
			if (err != nil) != tt.bad {
				t.Fatalf("error %v", err)
			}
			var items, types []string
			for _, it := range w.Items {
				items = append(items, Label(it.Kind, string(it.Name)))
			}
			for _, k := range w.Kinds {
				types = append(types, k.Resource.String())
			}
			if strings.Join(items, " ") != tt.items || strings.Join(types, " ") != tt.kinds || w.Multiple != tt.multiple {
				t.Errorf("items %v, kinds %v, multiple %v", items, types, w.Multiple)
			}
		})
	}
	all, err := Parse(kinds.Table(), []string{"all"})
	if err != nil || len(all.Kinds) < 3 || !all.Multiple {
		t.Errorf("all is %v, %v", all.Kinds, err)
	}
}
