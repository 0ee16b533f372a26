package validate

import (
	"fmt"
	"slices"

	v1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// checkVolumes checks the pod's volumes and remembers the faultless ones. A mount of
// a faulty volume is reported as not found, as Kubernetes does.
func (r *podRules) checkVolumes() field.ErrorList {
	p := r.path.Child("volumes")
	var errs field.ErrorList
	seen, made := map[string]bool{}, r.claimsMade()
	for i := range r.spec.Volumes {
		v, at := &r.spec.Volumes[i], p.Index(i)
		own := slices.Concat(
			required(at.Child("name"), v.Name, label),
			when(v.Name != "" && seen[v.Name], field.Duplicate(at.Child("name"), v.Name)),
			r.source(at, v),
		)
		if len(own) == 0 {
			r.volumes[v.Name] = v.VolumeSource
		}
		seen[v.Name] = true
		errs = extend(errs, own, r.claimName(at, v, made))
	}
	return errs
}

// claimsMade are the names of the claims that are made with the pod.
func (r *podRules) claimsMade() map[string]bool {
	made := map[string]bool{}
	for _, v := range r.spec.Volumes {
		if v.Ephemeral != nil {
			made[r.podName()+"-"+v.Name] = true
		}
	}
	return made
}

// claimName checks what an ephemeral volume's claim will be called, and that no
// volume names such a claim as if it were there already.
func (r *podRules) claimName(p *field.Path, v *v1.Volume, made map[string]bool) field.ErrorList {
	if r.podName() == "" || v.Name == "" {
		return nil
	}
	if v.Ephemeral != nil {
		name := r.podName() + "-" + v.Name
		var errs field.ErrorList
		for _, m := range apivalidation.NameIsDNSSubdomain(name, false) {
			errs = append(errs, field.Invalid(p.Child("name"), v.Name, fmt.Sprintf("PVC name %q: %s", name, m)))
		}
		return errs
	}
	if v.PersistentVolumeClaim == nil {
		return nil
	}
	return when(made[v.PersistentVolumeClaim.ClaimName], field.Invalid(p.Child("persistentVolumeClaim", "claimName"), v.PersistentVolumeClaim.ClaimName,
		"must not reference a PVC that gets created for an ephemeral volume"))
}

// source asks for exactly one source, and checks it.
func (r *podRules) source(p *field.Path, v *v1.Volume) field.ErrorList {
	s := &v.VolumeSource
	members := []member{
		{"emptyDir", s.EmptyDir != nil, func(p *field.Path) field.ErrorList { return emptyDir(p, s.EmptyDir) }},
		{"hostPath", s.HostPath != nil, func(p *field.Path) field.ErrorList { return hostPath(p, s.HostPath) }},
		{"secret", s.Secret != nil, func(p *field.Path) field.ErrorList {
			return slices.Concat(need(p, "secretName", s.Secret.SecretName),
				fileMode(p.Child("defaultMode"), s.Secret.DefaultMode), keyPaths(p.Child("items"), s.Secret.Items))
		}},
		{"configMap", s.ConfigMap != nil, func(p *field.Path) field.ErrorList {
			return slices.Concat(need(p, "name", s.ConfigMap.Name),
				fileMode(p.Child("defaultMode"), s.ConfigMap.DefaultMode), keyPaths(p.Child("items"), s.ConfigMap.Items))
		}},
		{"downwardAPI", s.DownwardAPI != nil, func(p *field.Path) field.ErrorList {
			return append(fileMode(p.Child("defaultMode"), s.DownwardAPI.DefaultMode), downwardFiles(p.Child("items"), s.DownwardAPI.Items)...)
		}},
		{"projected", s.Projected != nil, func(p *field.Path) field.ErrorList { return r.projected(p, s.Projected) }},
		{"persistentVolumeClaim", s.PersistentVolumeClaim != nil, func(p *field.Path) field.ErrorList {
			return need(p, "claimName", s.PersistentVolumeClaim.ClaimName)
		}},
		{"ephemeral", s.Ephemeral != nil, func(p *field.Path) field.ErrorList { return ephemeral(p, s.Ephemeral) }},
		{"image", s.Image != nil, func(p *field.Path) field.ErrorList { return r.imageVolume(p, s.Image) }},
		{"csi", s.CSI != nil, func(p *field.Path) field.ErrorList { return csi(p, s.CSI) }},
	}
	return exactlyOne(p, "must specify a volume type", "may not specify more than 1 volume type", append(members, remoteSources(s)...))
}
