package defaults

import (
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// AppArmor gives the containers of a new pod the profiles that its annotations name, the way of before there
// was a field, where they have none of their own and it is not the pod's.
func AppArmor(p *v1.Pod) {
	if len(p.Annotations) == 0 || p.Spec.OS != nil && p.Spec.OS.Name == v1.Windows {
		return
	}
	for _, cs := range [][]v1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range cs {
			c := &cs[i]
			profile := AppArmorOf(p.Annotations[v1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name])
			if profile == nil || c.SecurityContext != nil && c.SecurityContext.AppArmorProfile != nil || Armored(p.Spec.SecurityContext, profile) {
				continue
			}
			if c.SecurityContext == nil {
				c.SecurityContext = &v1.SecurityContext{}
			}
			c.SecurityContext.AppArmorProfile = profile
		}
	}
}

// Armored tells whether profile is what a pod says for all its containers.
func Armored(s *v1.PodSecurityContext, profile *v1.AppArmorProfile) bool {
	return s != nil && s.AppArmorProfile != nil && equality.Semantic.DeepEqual(s.AppArmorProfile, profile)
}

// AppArmorOf is the profile that an annotation's value names, nil if it names none.
func AppArmorOf(annotation string) *v1.AppArmorProfile {
	switch file, local := strings.CutPrefix(annotation, v1.DeprecatedAppArmorBetaProfileNamePrefix); {
	case local && strings.TrimSpace(file) != "":
		return &v1.AppArmorProfile{Type: v1.AppArmorProfileTypeLocalhost, LocalhostProfile: &file}
	case annotation == v1.DeprecatedAppArmorBetaProfileRuntimeDefault:
		return &v1.AppArmorProfile{Type: v1.AppArmorProfileTypeRuntimeDefault}
	case annotation == v1.DeprecatedAppArmorBetaProfileNameUnconfined:
		return &v1.AppArmorProfile{Type: v1.AppArmorProfileTypeUnconfined}
	}
	return nil
}
