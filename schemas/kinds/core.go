package kinds

import (
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/column"
	"github.com/skerry/skerry/schemas/defaults"
	"github.com/skerry/skerry/schemas/validate"
)

func namespace() *schemas.Kind {
	return entry[corev1.Namespace](&schemas.Kind{
		Resource: schemas.Namespaces, Version: "v1", Kind: "Namespace",
		Singular: "namespace", ShortNames: []string{"ns"},
		Default:        defaults.Namespace,
		Validate:       validate.Namespace,
		ValidateUpdate: validate.NamespaceUpdate,
		Columns:        column.Namespace(),
		StatusWriter:   schemas.StatusController,
		Below: []schemas.Subresource{
			{Name: "finalize", Of: corev1.SchemeGroupVersion.WithKind("Namespace"), Verbs: []string{"update"}},
		},
		Revisioned: true,
	})
}

func node() *schemas.Kind {
	return entry[corev1.Node](&schemas.Kind{
		Resource: schemas.Nodes, Version: "v1", Kind: "Node",
		Singular: "node", ShortNames: []string{"no"},
		Default:        defaults.Node,
		Validate:       validate.Node,
		ValidateUpdate: validate.NodeUpdate,
		Columns:        column.Node(),
		StatusWriter:   schemas.StatusAgent,
		Unhonoured:     nodeUnhonoured(),
	})
}

func pod() *schemas.Kind {
	return entry[corev1.Pod](&schemas.Kind{
		Resource: schemas.Pods, Version: "v1", Kind: "Pod",
		Singular: "pod", ShortNames: []string{"po"}, Categories: []string{"all"},
		Namespaced:     true,
		Default:        defaults.Pod,
		Validate:       validate.Pod,
		ValidateUpdate: validate.PodUpdate,
		Columns:        column.Pod(),
		StatusWriter:   schemas.StatusAgent,
		Generation:     schemas.GenerationNew | schemas.GenerationContent,
		Below:          podSubresources(),
		Revisioned:     true,
		Unhonoured:     podUnhonoured("spec"),
		Because:        podBecause("spec"),
	})
}

// podSubresources are those that the apiserver and the agents serve.
func podSubresources() []schemas.Subresource {
	connect := []string{"create", "get"}
	return []schemas.Subresource{
		{Name: "attach", Of: corev1.SchemeGroupVersion.WithKind("PodAttachOptions"), Verbs: connect},
		{Name: "binding", Of: corev1.SchemeGroupVersion.WithKind("Binding"), Verbs: []string{"create"}},
		{Name: "ephemeralcontainers", Of: corev1.SchemeGroupVersion.WithKind("Pod"), Verbs: []string{"get", "patch", "update"}},
		{Name: "eviction", Of: policyv1.SchemeGroupVersion.WithKind("Eviction"), Verbs: []string{"create"}},
		{Name: "exec", Of: corev1.SchemeGroupVersion.WithKind("PodExecOptions"), Verbs: connect},
		{Name: "log", Of: corev1.SchemeGroupVersion.WithKind("Pod"), Verbs: []string{"get"}},
		{Name: "portforward", Of: corev1.SchemeGroupVersion.WithKind("PodPortForwardOptions"), Verbs: connect},
		{Name: "proxy", Of: corev1.SchemeGroupVersion.WithKind("PodProxyOptions"), Verbs: []string{"create", "delete", "get", "patch", "update"}},
	}
}

func configMap() *schemas.Kind {
	return entry[corev1.ConfigMap](&schemas.Kind{
		Resource: schemas.ConfigMaps, Version: "v1", Kind: "ConfigMap",
		Singular: "configmap", ShortNames: []string{"cm"},
		Namespaced:     true,
		Default:        defaults.ConfigMap,
		Validate:       validate.ConfigMap,
		ValidateUpdate: validate.ConfigMapUpdate,
		Columns:        column.ConfigMap(),
		Revisioned:     true,
	})
}

func secret() *schemas.Kind {
	return entry[corev1.Secret](&schemas.Kind{
		Resource: schemas.Secrets, Version: "v1", Kind: "Secret",
		Singular:       "secret",
		Namespaced:     true,
		Default:        defaults.Secret,
		Validate:       validate.Secret,
		ValidateUpdate: validate.SecretUpdate,
		Columns:        column.Secret(),
		Revisioned:     true,
	})
}

func serviceAccount() *schemas.Kind {
	return entry[corev1.ServiceAccount](&schemas.Kind{
		Resource: schemas.ServiceAccounts, Version: "v1", Kind: "ServiceAccount",
		Singular: "serviceaccount", ShortNames: []string{"sa"},
		Namespaced:     true,
		Validate:       validate.ServiceAccount,
		ValidateUpdate: validate.ServiceAccountUpdate,
		Columns:        column.ServiceAccount(),
		Below: []schemas.Subresource{
			{Name: "token", Of: authenticationv1.SchemeGroupVersion.WithKind("TokenRequest"), Verbs: []string{"create"}},
		},
		Revisioned: true,
		Unhonoured: serviceAccountUnhonoured(),
	})
}

func event() *schemas.Kind {
	return entry[corev1.Event](&schemas.Kind{
		Resource: schemas.Events, Version: "v1", Kind: "Event",
		Singular: "event", ShortNames: []string{"ev"},
		Namespaced:     true,
		Validate:       validate.Event,
		ValidateUpdate: validate.EventUpdate,
		Columns:        column.Event(),
		Store:          schemas.StoreEvents,
	})
}
