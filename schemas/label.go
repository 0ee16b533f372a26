package schemas

import (
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
)

// NodeMaySet tells whether a node may put the label key on itself. Of Kubernetes' own labels these are the ones
// that say what it is and where: others draw workloads to a node, or keep them off, and one that was taken over
// could give itself what it wants (the NodeRestriction plugin, and the kubelet's --node-labels).
func NodeMaySet(key string) bool {
	domain, _, ok := strings.Cut(key, "/")
	switch {
	case !ok:
		return true
	case within(domain, v1.LabelNamespaceNodeRestriction):
		return false
	case !within(domain, "kubernetes.io") && !within(domain, "k8s.io"):
		return true
	}
	return within(domain, v1.LabelNamespaceSuffixKubelet) || within(domain, v1.LabelNamespaceSuffixNode) || slices.Contains(nodeLabels, key)
}

// nodeLabels are those of Kubernetes' own that nodes give themselves.
var nodeLabels = []string{
	v1.LabelHostname, v1.LabelTopologyZone, v1.LabelTopologyRegion, v1.LabelFailureDomainBetaZone, v1.LabelFailureDomainBetaRegion,
	v1.LabelInstanceType, v1.LabelInstanceTypeStable, v1.LabelOSStable, v1.LabelArchStable, "beta.kubernetes.io/os", "beta.kubernetes.io/arch",
}

func within(domain, of string) bool { return domain == of || strings.HasSuffix(domain, "."+of) }
