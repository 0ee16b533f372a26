package kinds

import (
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/column"
	"github.com/skerry/skerry/schemas/defaults"
	"github.com/skerry/skerry/schemas/validate"
)

func podDisruptionBudget() *schemas.Kind {
	return entry[policyv1.PodDisruptionBudget](&schemas.Kind{
		Resource: schemas.PodDisruptionBudgets, Version: "v1", Kind: "PodDisruptionBudget",
		Singular: "poddisruptionbudget", ShortNames: []string{"pdb"},
		Namespaced:     true,
		Validate:       validate.PodDisruptionBudget,
		ValidateUpdate: validate.PodDisruptionBudgetUpdate,
		Columns:        column.PodDisruptionBudget(),
		StatusWriter:   schemas.StatusController,
		Generation:     schemas.GenerationNew | schemas.GenerationContent,
		Revisioned:     true,
	})
}

func podGroup() *schemas.Kind {
	return entry[schedulingv1beta1.PodGroup](&schemas.Kind{
		Resource: schemas.PodGroups, Version: "v1beta1", Kind: "PodGroup",
		Singular:       "podgroup",
		Namespaced:     true,
		Default:        defaults.PodGroup,
		Validate:       validate.PodGroup,
		ValidateUpdate: validate.PodGroupUpdate,
		Columns:        column.PodGroup(),
		StatusWriter:   schemas.StatusController,
		Revisioned:     true,
		Unhonoured:     append(groupUnhonoured("spec"), "spec.parentCompositePodGroupName"),
	})
}

func workload() *schemas.Kind {
	return entry[schedulingv1beta1.Workload](&schemas.Kind{
		Resource: schemas.Workloads, Version: "v1beta1", Kind: "Workload",
		Singular:       "workload",
		Namespaced:     true,
		Validate:       validate.Workload,
		ValidateUpdate: validate.WorkloadUpdate,
		Columns:        column.Workload(),
		Revisioned:     true,
		Unhonoured:     append(groupUnhonoured("spec.podGroupTemplates[]"), "spec.compositePodGroupTemplates"),
	})
}
