package kinds_test

import (
	"testing"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/kinds"
)

func TestTableIsComplete(t *testing.T) {
	all := kinds.Table().All()
	if len(all) != 31 {
		t.Errorf("the table has %d kinds", len(all))
	}
	for _, k := range all {
		obj := k.New()
		if got := obj.GetObjectKind().GroupVersionKind(); got != k.GroupVersionKind() {
			t.Errorf("%s: New makes a %s", k.Resource, got)
		}
		if k.New() == obj {
			t.Errorf("%s: New returns the same object twice", k.Resource)
		}
		if k.Validate == nil || k.ValidateUpdate == nil || len(k.Columns) < 2 || k.Singular == "" {
			t.Errorf("%s: the entry is not complete", k.Resource)
		}
		if k.Store != schemas.StoreNowhere && len(k.Validate(obj)) == 0 {
			t.Errorf("%s: an object without a name is valid", k.Resource)
		}
		if k.Default != nil {
			k.Default(obj)
		}
		for _, c := range k.Columns {
			if c.Value == nil || c.Name == "" {
				t.Errorf("%s: column %q is not complete", k.Resource, c.Name)
			}
		}
	}
}

func TestFind(t *testing.T) {
	for arg, want := range map[string]schemas.Resource{
		"po": schemas.Pods, "Pods": schemas.Pods, "pod": schemas.Pods,
		"deploy": schemas.Deployments, "deployments.apps": schemas.Deployments, "deployment.v1.apps": schemas.Deployments, "deploy.apps": schemas.Deployments,
		"rs": schemas.ReplicaSets, "no": schemas.Nodes, "ns": schemas.Namespaces, "cm": schemas.ConfigMaps, "secrets": schemas.Secrets,
		"ev": schemas.Events, "sa": schemas.ServiceAccounts, "leases": schemas.Leases, "svc": schemas.Services, "ep": schemas.Endpoints, "endpointslices": schemas.EndpointSlices, "lease.coordination.k8s.io": schemas.Leases, "pc": schemas.PriorityClasses,
	} {
		if k := kinds.Table().Find(arg); k == nil || k.Resource != want {
			t.Errorf("%s: got %v, want %s", arg, k, want)
		}
	}
	for _, arg := range []string{"", "podz", "pods.apps", "deployments.extensions", "all"} {
		if k := kinds.Table().Find(arg); k != nil {
			t.Errorf("%q: got %s, want nothing", arg, k.Resource)
		}
	}
}
