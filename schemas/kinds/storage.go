package kinds

import (
	storagev1 "k8s.io/api/storage/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/column"
	"github.com/skerry/skerry/schemas/defaults"
	"github.com/skerry/skerry/schemas/validate"
)

func csiDriver() *schemas.Kind {
	return entry[storagev1.CSIDriver](&schemas.Kind{
		Resource: schemas.CSIDrivers, Version: "v1", Kind: "CSIDriver",
		Singular:       "csidriver",
		Default:        defaults.CSIDriver,
		Validate:       validate.CSIDriver,
		ValidateUpdate: validate.CSIDriverUpdate,
		Columns:        column.CSIDriver(),
		Generation:     schemas.GenerationContent,
		Revisioned:     true,
		// They are about persistent volumes, or about labels of SELinux, which volumes are not given.
		Unhonoured: []string{"spec.seLinuxMount", "spec.nodeAllocatableUpdatePeriodSeconds", "spec.preventPodSchedulingIfMissing"},
	})
}
