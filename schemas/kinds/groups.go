package kinds

import (
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	nodev1 "k8s.io/api/node/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/column"
	"github.com/skerry/skerry/schemas/defaults"
	"github.com/skerry/skerry/schemas/validate"
)

func deployment() *schemas.Kind {
	return entry[appsv1.Deployment](&schemas.Kind{
		Resource: schemas.Deployments, Version: "v1", Kind: "Deployment",
		Singular: "deployment", ShortNames: []string{"deploy"}, Categories: []string{"all"},
		Namespaced:     true,
		Default:        defaults.Deployment,
		Validate:       validate.Deployment,
		ValidateUpdate: validate.DeploymentUpdate,
		Columns:        column.Deployment(),
		StatusWriter:   schemas.StatusController,
		Generation:     schemas.GenerationNew | schemas.GenerationContent | schemas.GenerationAnnotations,
		Scale:          replicas(),
		Revisioned:     true,
		Unhonoured:     podUnhonoured("spec.template.spec"),
		Because:        podBecause("spec.template.spec"),
	})
}

func replicaSet() *schemas.Kind {
	return entry[appsv1.ReplicaSet](&schemas.Kind{
		Resource: schemas.ReplicaSets, Version: "v1", Kind: "ReplicaSet",
		Singular: "replicaset", ShortNames: []string{"rs"}, Categories: []string{"all"},
		Namespaced:     true,
		Default:        defaults.ReplicaSet,
		Validate:       validate.ReplicaSet,
		ValidateUpdate: validate.ReplicaSetUpdate,
		Columns:        column.ReplicaSet(),
		StatusWriter:   schemas.StatusController,
		Generation:     schemas.GenerationNew | schemas.GenerationContent,
		Scale:          replicas(),
		Revisioned:     true,
		Unhonoured:     podUnhonoured("spec.template.spec"),
		Because:        podBecause("spec.template.spec"),
	})
}

func lease() *schemas.Kind {
	return entry[coordinationv1.Lease](&schemas.Kind{
		Resource: schemas.Leases, Version: "v1", Kind: "Lease",
		Singular:       "lease",
		Namespaced:     true,
		Validate:       validate.Lease,
		ValidateUpdate: validate.LeaseUpdate,
		Columns:        column.Lease(),
	})
}

func priorityClass() *schemas.Kind {
	return entry[schedulingv1.PriorityClass](&schemas.Kind{
		Resource: schemas.PriorityClasses, Version: "v1", Kind: "PriorityClass",
		Singular: "priorityclass", ShortNames: []string{"pc"},
		Default:        defaults.PriorityClass,
		Validate:       validate.PriorityClass,
		ValidateUpdate: validate.PriorityClassUpdate,
		Columns:        column.PriorityClass(),
		Generation:     schemas.GenerationNew,
		Revisioned:     true,
	})
}

func runtimeClass() *schemas.Kind {
	return entry[nodev1.RuntimeClass](&schemas.Kind{
		Resource: schemas.RuntimeClasses, Version: "v1", Kind: "RuntimeClass",
		Singular:       "runtimeclass",
		Validate:       validate.RuntimeClass,
		ValidateUpdate: validate.RuntimeClassUpdate,
		Columns:        column.RuntimeClass(),
		Revisioned:     true,
	})
}

// replicas is the scale of kinds that count pods.
func replicas() *schemas.Scale {
	return &schemas.Scale{Replicas: "spec.replicas", Status: "status.replicas", Selector: "spec.selector"}
}
