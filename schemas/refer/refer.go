// Package refer tells which objects a pod needs beside itself.
//
// It reads and writes nothing. What always holds: whoever decides on a pod's objects
// (may its node read them, are they to be kept on disk, whom does a change concern) sees the
// same ones.
package refer

import (
	"strings"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/schemas"
)

// Objects are the ConfigMaps, Secrets, trust bundles and the ServiceAccount that p names, each
// once, whether they exist or not. All bundles of a signer are one (see Anchors).
func Objects(p *v1.Pod) []schemas.Ref {
	s := seen{namespace: schemas.Namespace(p.Namespace), known: map[schemas.Ref]bool{}}
	s.add(schemas.ServiceAccounts, p.Spec.ServiceAccountName)
	for _, r := range p.Spec.ImagePullSecrets {
		s.add(schemas.Secrets, r.Name)
	}
	for i := range p.Spec.InitContainers {
		s.env(p.Spec.InitContainers[i].Env, p.Spec.InitContainers[i].EnvFrom)
	}
	for i := range p.Spec.Containers {
		s.env(p.Spec.Containers[i].Env, p.Spec.Containers[i].EnvFrom)
	}
	for i := range p.Spec.EphemeralContainers {
		s.env(p.Spec.EphemeralContainers[i].Env, p.Spec.EphemeralContainers[i].EnvFrom)
	}
	for i := range p.Spec.Volumes {
		s.volume(&p.Spec.Volumes[i].VolumeSource)
	}
	return s.refs
}

// Anchors names all trust bundles of a signer at once. No bundle has such a name: a signer's
// has a slash in it.
func Anchors(signer string) schemas.Ref {
	return schemas.Ref{Resource: schemas.ClusterTrustBundles, Name: schemas.Name(signer)}
}

// Signer is the signer whose bundles ref names, "" if ref names one object.
func Signer(ref schemas.Ref) string {
	if ref.Resource != schemas.ClusterTrustBundles || !strings.Contains(string(ref.Name), "/") {
		return ""
	}
	return string(ref.Name)
}

// Volume are the ConfigMaps, Secrets and trust bundles that one volume of a pod in namespace ns is made of.
func Volume(ns schemas.Namespace, v *v1.VolumeSource) []schemas.Ref {
	s := seen{namespace: ns, known: map[schemas.Ref]bool{}}
	s.volume(v)
	return s.refs
}

type seen struct {
	namespace schemas.Namespace
	known     map[schemas.Ref]bool
	refs      []schemas.Ref
}

func (s *seen) add(r schemas.Resource, name string) {
	s.ref(schemas.Ref{Resource: r, Namespace: s.namespace, Name: schemas.Name(name)})
}

func (s *seen) ref(ref schemas.Ref) {
	if ref.Name == "" || s.known[ref] {
		return
	}
	s.known[ref] = true
	s.refs = append(s.refs, ref)
}

func (s *seen) env(env []v1.EnvVar, from []v1.EnvFromSource) {
	for _, e := range env {
		if e.ValueFrom == nil {
			continue
		}
		if c := e.ValueFrom.ConfigMapKeyRef; c != nil {
			s.add(schemas.ConfigMaps, c.Name)
		}
		if c := e.ValueFrom.SecretKeyRef; c != nil {
			s.add(schemas.Secrets, c.Name)
		}
	}
	for _, f := range from {
		if f.ConfigMapRef != nil {
			s.add(schemas.ConfigMaps, f.ConfigMapRef.Name)
		}
		if f.SecretRef != nil {
			s.add(schemas.Secrets, f.SecretRef.Name)
		}
	}
}

func (s *seen) volume(v *v1.VolumeSource) {
	if v.ConfigMap != nil {
		s.add(schemas.ConfigMaps, v.ConfigMap.Name)
	}
	if v.Secret != nil {
		s.add(schemas.Secrets, v.Secret.SecretName)
	}
	if v.ISCSI != nil {
		s.local(v.ISCSI.SecretRef)
	}
	if v.CSI != nil {
		s.local(v.CSI.NodePublishSecretRef)
	}
	if v.FlexVolume != nil {
		s.local(v.FlexVolume.SecretRef)
	}
	if v.Projected == nil {
		return
	}
	for _, src := range v.Projected.Sources {
		if src.ConfigMap != nil {
			s.add(schemas.ConfigMaps, src.ConfigMap.Name)
		}
		if src.Secret != nil {
			s.add(schemas.Secrets, src.Secret.Name)
		}
		if src.ClusterTrustBundle != nil {
			s.bundle(src.ClusterTrustBundle)
		}
	}
}

func (s *seen) bundle(c *v1.ClusterTrustBundleProjection) {
	switch {
	case c.Name != nil:
		s.ref(schemas.Ref{Resource: schemas.ClusterTrustBundles, Name: schemas.Name(*c.Name)})
	case c.SignerName != nil:
		s.ref(Anchors(*c.SignerName))
	}
}

func (s *seen) local(r *v1.LocalObjectReference) {
	if r != nil {
		s.add(schemas.Secrets, r.Name)
	}
}
