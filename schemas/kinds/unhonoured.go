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
		"persistentVolumeClaim", "ephemeral", "csi", "flexVolume", "cephfs", "rbd", "cinder", "glusterfs", "flocker",
		"quobyte", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "azureFile", "azureDisk", "vsphereVolume",
		"photonPersistentDisk", "portworxVolume", "scaleIO", "storageos",
		"emptyDir.medium!=Memory",
		"projected.sources[].podCertificate",
	}
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
