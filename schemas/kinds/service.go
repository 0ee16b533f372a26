package kinds

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/column"
	"github.com/skerry/skerry/schemas/defaults"
	"github.com/skerry/skerry/schemas/validate"
)

func service() *schemas.Kind {
	return entry[corev1.Service](&schemas.Kind{
		Resource: schemas.Services, Version: "v1", Kind: "Service",
		Singular: "service", ShortNames: []string{"svc"}, Categories: []string{"all"},
		Namespaced:     true,
		Default:        defaults.Service,
		Validate:       validate.Service,
		ValidateUpdate: validate.ServiceUpdate,
		Columns:        column.Service(),
		StatusWriter:   schemas.StatusController,
		Below: []schemas.Subresource{
			{Name: "proxy", Of: corev1.SchemeGroupVersion.WithKind("ServiceProxyOptions"), Verbs: []string{"create", "delete", "get", "patch", "update"}},
		},
		Revisioned: true,
		Unhonoured: serviceUnhonoured(),
		Because:    serviceBecause(),
	})
}

func endpoints() *schemas.Kind {

	return entry[corev1.Endpoints](&schemas.Kind{
		Resource: schemas.Endpoints, Version: "v1", Kind: "Endpoints",
		Singular: "endpoints", ShortNames: []string{"ep"},
		Namespaced:     true,
		Default:        defaults.Endpoints,
		Validate:       validate.Endpoints,
		ValidateUpdate: validate.EndpointsUpdate,
		Columns:        column.Endpoints(),
	})
}

func endpointSlice() *schemas.Kind {
	return entry[discoveryv1.EndpointSlice](&schemas.Kind{
		Resource: schemas.EndpointSlices, Version: "v1", Kind: "EndpointSlice",
		Singular:       "endpointslice",
		Namespaced:     true,
		Default:        defaults.EndpointSlice,
		Validate:       validate.EndpointSlice,
		ValidateUpdate: validate.EndpointSliceUpdate,
		Columns:        column.EndpointSlice(),
		Generation:     schemas.GenerationNew | schemas.GenerationContent | schemas.GenerationLabels,
	})
}
