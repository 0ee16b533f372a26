package eviction

import (
	"fmt"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas/amount"
)

// limited tells whether a pod's use of the disk, or an emptyDir, has a limit.
func limited(p *v1.Pod) bool {
	for _, cs := range [][]v1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range cs {
			if _, ok := cs[i].Resources.Limits[v1.ResourceEphemeralStorage]; ok {
				return true
			}
		}
	}
	for i := range p.Spec.Volumes {
		if e := p.Spec.Volumes[i].EmptyDir; e != nil && e.SizeLimit != nil && e.SizeLimit.Sign() > 0 {
			return true
		}
	}
	return false
}

// beyond says which limit of the disk p has gone beyond; "" is none. Pure.
func beyond(p *v1.Pod, u Use) string {
	for i := range p.Spec.Volumes {
		v := &p.Spec.Volumes[i]
		if v.EmptyDir == nil || v.EmptyDir.SizeLimit == nil || v.EmptyDir.SizeLimit.Sign() <= 0 {
			continue
		}
		if max(u.Volumes[v.Name].Bytes, u.InMemory[v.Name]) > v.EmptyDir.SizeLimit.Value() {
			return fmt.Sprintf("Usage of EmptyDir volume %q exceeds the limit %q. ", v.Name, v.EmptyDir.SizeLimit.String())
		}
	}
	if whole, ok := amount.Limits(&p.Spec)[v1.ResourceEphemeralStorage]; ok && u.disk(part{layers: true, local: true}).Bytes > whole.Value() {
		return fmt.Sprintf("Pod ephemeral local storage usage exceeds the total limit of containers %s. ", whole.String())
	}
	for _, cs := range [][]v1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range cs {
			c := u.Containers[cs[i].Name]
			if limit, ok := cs[i].Resources.Limits[v1.ResourceEphemeralStorage]; ok && c.Layer.Bytes+c.Logs.Bytes > limit.Value() {
				return fmt.Sprintf("Container %s exceeded its local ephemeral storage limit %q. ", cs[i].Name, limit.String())
			}
		}
	}
	return ""
}
