package kinds

// The lists below say which fields are stored but not acted on yet, in the notation
// of schemas.Kind.Unhonoured. A test walks the Go types and fails on a field of a pod that
// is neither here nor among the honoured ones of docs/pod-fields.txt.

func podUnhonoured(spec string) []string {
	paths := []string{"resourceClaims", "evictionResponders"}
	for _, field := range volumeUnhonoured() {
		paths = append(paths, "volumes[]."+field)
	}
	for _, list := range []string{"containers[].", "initContainers[].", "ephemeralContainers[]."} {
		for _, field := range containerUnhonoured() {
			paths = append(paths, list+field)
		}
	}
	for i, p := range paths {
		paths[i] = spec + "." + p
	}
	return paths
}

func containerUnhonoured() []string {
	return []string{
		"volumeDevices",
		"resources.limits[^cpu,memory,ephemeral-storage,hugepages-*,*/*]", "resources.requests[^cpu,memory,ephemeral-storage,hugepages-*,*/*]",
		"resources.claims",
	}
}

func volumeUnhonoured() []string {
	return []string{
		"persistentVolumeClaim", "ephemeral", "cephfs", "rbd", "cinder", "glusterfs", "flocker",
		"quobyte", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "azureFile", "azureDisk", "vsphereVolume",
		"photonPersistentDisk", "portworxVolume", "scaleIO", "storageos",
		"emptyDir.medium!=Memory",
	}
}

// podBecause says of volumes that Kubernetes gave up what its apiserver says of them.
func podBecause(spec string) map[string]string {
	out := map[string]string{}
	for field, since := range map[string]string{
		"photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
		"gitRepo":              "deprecated in v1.11, and disabled by default in v1.33+",
		"scaleIO":              "deprecated in v1.16, non-functional in v1.22+",
		"flocker":              "deprecated in v1.22, non-functional in v1.25+",
		"quobyte":              "deprecated in v1.22, non-functional in v1.25+",
		"storageos":            "deprecated in v1.22, non-functional in v1.25+",
		"glusterfs":            "deprecated in v1.25, non-functional in v1.26+",
		"cephfs":               "deprecated in v1.28, non-functional in v1.31+",
		"rbd":                  "deprecated in v1.28, non-functional in v1.31+",
	} {
		out[spec+".volumes[]."+field] = since
	}
	return out
}

func nodeUnhonoured() []string {
	return []string{"spec.configSource", "spec.podPreemptionPolicy", "spec.externalID"}
}

func serviceAccountUnhonoured() []string {
	return []string{"secrets"}
}

// groupUnhonoured is what a pod group, or the template of one, at p asks for in vain.
func groupUnhonoured(p string) []string {
	return []string{p + ".resourceClaims", p + ".disruptionMode.all", p + ".priorityClassName", p + ".priority", p + ".preemptionPolicy"}
}

// serviceUnhonoured: the data path of services. That a service has ports stands for its
// cluster IP and its name.
func serviceUnhonoured() []string {
	return []string{
		"spec.ports", "spec.type!=ClusterIP,ExternalName", "spec.externalName", "spec.externalIPs",
		"spec.sessionAffinity!=None", "spec.internalTrafficPolicy!=Cluster", "spec.externalTrafficPolicy!=Cluster",
		"spec.trafficDistribution", "spec.loadBalancerIP", "spec.loadBalancerClass", "spec.loadBalancerSourceRanges",
	}
}

func serviceBecause() map[string]string {
	return map[string]string{
		"spec.ports": "no node routes a Service's addresses and no DNS server knows its name yet: reach its pods with " +
			"`skerry port-forward svc/NAME` or through the API's proxy",
		"spec.type":         "node ports are given out, but no node listens on them yet, and nothing makes load balancers",
		"spec.externalName": "no DNS server answers with this name yet",
	}
}
