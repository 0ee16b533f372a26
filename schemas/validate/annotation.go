package validate

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	// deletionCost is the annotation that ranks pods when a ReplicaSet shrinks.
	deletionCost = "controller.kubernetes.io/pod-deletion-cost"
	mirror       = "kubernetes.io/config.mirror"
)

// podAnnotations checks those that are about pods.
func podAnnotations(p *field.Path, annotations map[string]string, s *v1.PodSpec) (errs field.ErrorList) {
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		value := annotations[key]
		container, armored := strings.CutPrefix(key, v1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix)
		switch {
		case key == deletionCost:
			_, err := strconv.ParseInt(value, 10, 32)
			// One way to write each number, so that equal costs are equal strings.
			odd := strings.HasPrefix(value, "+") || (len(value) > 1 && value[0] == '0')
			errs = append(errs, when(err != nil || odd, field.Invalid(p.Key(key), value, "must be a 32bit integer"))...)
		case key == mirror:
			errs = append(errs, when(s.NodeName == "", field.Invalid(p.Key(key), value, "must set spec.nodeName if mirror pod annotation is set"))...)
		case key == v1.SeccompPodAnnotationKey, strings.HasPrefix(key, v1.SeccompContainerAnnotationKeyPrefix):
			errs = append(errs, seccompName(p.Child(key), value)...)
		case armored:
			errs = extend(errs,
				when(!hasContainer(s, container), field.Invalid(p.Key(key), container, "container not found")),
				when(!armorName(value), field.Invalid(p.Key(key), value, fmt.Sprintf("invalid AppArmor profile name: %q", value))))
		}
	}
	return errs
}

// keptAnnotations are those that a pod has from its beginning, or never.
func keptAnnotations(p *field.Path, annotations, old map[string]string) (errs field.ErrorList) {
	for key, was := range old {
		if now, has := annotations[key]; (!has || now != was) && kept(key) != "" {
			errs = append(errs, field.Forbidden(p.Key(key), "may not remove or update "+kept(key)))
		}
	}
	for key := range annotations {
		if _, had := old[key]; !had && kept(key) != "" {
			errs = append(errs, field.Forbidden(p.Key(key), "may not add "+kept(key)))
		}
	}
	return errs
}

// kept is what an annotation is that nobody may change, "" if it is none of them.
func kept(key string) string {
	switch {
	case key == mirror:
		return "mirror pod annotation"
	case strings.HasPrefix(key, v1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix):
		return "AppArmor annotations"
	}
	return ""
}

func seccompName(p *field.Path, name string) field.ErrorList {
	file, local := strings.CutPrefix(name, v1.SeccompLocalhostProfileNamePrefix)
	switch {
	case local:
		return descending(p, file)
	case name == v1.SeccompProfileRuntimeDefault, name == v1.DeprecatedSeccompProfileDockerDefault, name == v1.SeccompProfileNameUnconfined:
		return nil
	}
	return field.ErrorList{field.Invalid(p, name, "must be a valid seccomp profile")}
}

func armorName(name string) bool {
	return name == "" || name == v1.DeprecatedAppArmorBetaProfileRuntimeDefault || name == v1.DeprecatedAppArmorBetaProfileNameUnconfined ||
		strings.HasPrefix(name, v1.DeprecatedAppArmorBetaProfileNamePrefix)
}

func hasContainer(s *v1.PodSpec, name string) bool {
	named := func(c v1.Container) bool { return c.Name == name }
	return slices.ContainsFunc(s.Containers, named) || slices.ContainsFunc(s.InitContainers, named) ||
		slices.ContainsFunc(s.EphemeralContainers, func(c v1.EphemeralContainer) bool { return c.Name == name })
}
