package access

import (
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
)

// refers tells whether p needs the object of resource r called name, which is in p's
// namespace.
func refers(p *v1.Pod, r schemas.Resource, name string) bool {
	if r == schemas.ServiceAccounts {
		return p.Spec.ServiceAccountName == name
	}
	found := false
	see := func(resource schemas.Resource, n string) {
		found = found || resource == r && n == name
	}
	for _, s := range p.Spec.ImagePullSecrets {
		see(schemas.Secrets, s.Name)
	}
	for _, c := range p.Spec.InitContainers {
		envRefs(c.Env, c.EnvFrom, see)
	}
	for _, c := range p.Spec.Containers {
		envRefs(c.Env, c.EnvFrom, see)
	}
	for _, c := range p.Spec.EphemeralContainers {
		envRefs(c.Env, c.EnvFrom, see)
	}
	for _, v := range p.Spec.Volumes {
		volumeRefs(v.VolumeSource, see)
	}
	return found
}

func envRefs(env []v1.EnvVar, from []v1.EnvFromSource, see func(schemas.Resource, string)) {
	for _, e := range env {
		if e.ValueFrom == nil {
			continue
		}
		if c := e.ValueFrom.ConfigMapKeyRef; c != nil {
			see(schemas.ConfigMaps, c.Name)
		}
		if s := e.ValueFrom.SecretKeyRef; s != nil {
			see(schemas.Secrets, s.Name)
		}
	}
	for _, f := range from {
		if f.ConfigMapRef != nil {
			see(schemas.ConfigMaps, f.ConfigMapRef.Name)
		}
		if f.SecretRef != nil {
			see(schemas.Secrets, f.SecretRef.Name)
		}
	}
}

func volumeRefs(v v1.VolumeSource, see func(schemas.Resource, string)) {
	if v.ConfigMap != nil {
		see(schemas.ConfigMaps, v.ConfigMap.Name)
	}
	if v.Secret != nil {
		see(schemas.Secrets, v.Secret.SecretName)
	}
	if v.Projected == nil {
		return
	}
	for _, s := range v.Projected.Sources {
		if s.ConfigMap != nil {
			see(schemas.ConfigMaps, s.ConfigMap.Name)
		}
		if s.Secret != nil {
			see(schemas.Secrets, s.Secret.Name)
		}
	}
}
