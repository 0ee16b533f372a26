package discover

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
)

func TestWhatIsServed(t *testing.T) {
	all := kinds.Table().All()
	core := Resources(all, schema.GroupVersion{Version: "v1"})
	var names []string
	for _, r := range core.APIResources {
		names = append(names, r.Name)
	}
	for _, want := range []string{"pods", "pods/log", "pods/exec", "pods/status", "pods/eviction", "pods/ephemeralcontainers", "serviceaccounts/token", "namespaces/finalize", "configmaps"} {
		if !slices.Contains(names, want) {
			t.Errorf("/api/v1 has no %s: %v", want, names)
		}
	}
	apps := Resources(all, schema.GroupVersion{Group: "apps", Version: "v1"})
	for _, r := range apps.APIResources {
		if r.Name == "deployments/scale" && (r.Group != "autoscaling" || r.Kind != "Scale") {
			t.Errorf("scale is %+v", r)
		}
	}
	if Resources(all, schema.GroupVersion{Group: "apps", Version: "v2"}) != nil || Group(all, "nothing") != nil || Group(all, "") != nil {
		t.Error("what is not there is served")
	}
	if g := Group(all, "apps"); g == nil || g.PreferredVersion.GroupVersion != "apps/v1" {
		t.Errorf("apps: %+v", g)
	}
	legacy, rest := Aggregated(all, true), Aggregated(all, false)
	if len(legacy.Items) != 1 || legacy.Items[0].Name != "" || len(rest.Items) != len(Groups(all).Groups) {
		t.Errorf("aggregated: %d and %d groups", len(legacy.Items), len(rest.Items))
	}
}

// TestKindsAreNotKnown: a kind that nobody has heard of is told of like any other.
func TestKindsAreNotKnown(t *testing.T) {
	thing := func(version string) *schemas.Kind {
		return &schemas.Kind{Resource: schemas.Resource{Group: "ex.io", Plural: "things"}, Version: version, Kind: "Thing", Singular: "thing"}
	}
	g := Group([]*schemas.Kind{thing("v1beta1"), thing("v2"), thing("v1")}, "ex.io")
	if g == nil || len(g.Versions) != 3 || g.PreferredVersion.Version != "v2" || g.Versions[2].Version != "v1beta1" {
		t.Errorf("%+v", g)
	}
}
