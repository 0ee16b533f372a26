package caution

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas/defaults"
)

// oldLabels are labels of nodes that others have taken the place of.
var oldLabels = map[string]string{
	"beta.kubernetes.io/arch":                       `deprecated since v1.14; use "kubernetes.io/arch" instead`,
	"beta.kubernetes.io/os":                         `deprecated since v1.14; use "kubernetes.io/os" instead`,
	"failure-domain.beta.kubernetes.io/region":      `deprecated since v1.17; use "topology.kubernetes.io/region" instead`,
	"failure-domain.beta.kubernetes.io/zone":        `deprecated since v1.17; use "topology.kubernetes.io/zone" instead`,
	"beta.kubernetes.io/instance-type":              `deprecated since v1.17; use "node.kubernetes.io/instance-type" instead`,
	"app.kubernetes.io/created-by":                  `deprecated since v1.9`,
	"scheduler.alpha.kubernetes.io/preferAvoidPods": `deprecated since v1.22; use Taints and Tolerations instead`,
	"node-role.kubernetes.io/master":                `use "node-role.kubernetes.io/control-plane" instead`,
}

// oldAnnotations are annotations of pods that do nothing any more.
var oldAnnotations = map[string]string{
	"scheduler.alpha.kubernetes.io/critical-pod":  `non-functional in v1.16+; use the "priorityClassName" field instead`,
	"security.alpha.kubernetes.io/sysctls":        `non-functional in v1.11+; use the "sysctls" field instead`,
	"security.alpha.kubernetes.io/unsafe-sysctls": `non-functional in v1.11+; use the "sysctls" field instead`,
}

const matchesNothing = "a null labelSelector results in matching no pod"

func sayf(p *field.Path, format string, args ...any) string {
	return p.String() + ": " + fmt.Sprintf(format, args...)
}

// pod is said of a pod, or of a template at the path at.
func pod(at *field.Path, meta *metav1.ObjectMeta, s *corev1.PodSpec) []string {
	spec := at.Child("spec")
	return slices.Concat(
		placement(spec, s),
		annotations(at.Child("metadata", "annotations"), meta.Annotations, s),
		overlaps(s.Volumes),
		lists(spec, s),
		wholeBytes(spec.Child("overhead"), s.Overhead),
		containers(spec, s),
		affinities(spec.Child("affinity"), s.Affinity),
	)
}

func placement(p *field.Path, s *corev1.PodSpec) (said []string) {
	for _, key := range slices.Sorted(maps.Keys(s.NodeSelector)) {
		if why := oldLabels[key]; why != "" {
			said = append(said, sayf(p.Child("nodeSelector").Key(key), "%s", why))
		}
	}
	if s.Affinity != nil && s.Affinity.NodeAffinity != nil {
		said = append(said, nodeAffinity(p.Child("affinity", "nodeAffinity"), s.Affinity.NodeAffinity)...)
	}
	for i, c := range s.TopologySpreadConstraints {
		at := p.Child("topologySpreadConstraints").Index(i)
		if why := oldLabels[c.TopologyKey]; why != "" {
			said = append(said, sayf(at.Child("topologyKey"), "%s is %s", c.TopologyKey, why))
		}
		if c.LabelSelector == nil {
			said = append(said, sayf(at.Child("labelSelector"), matchesNothing))
		}
	}
	return said
}

func nodeAffinity(p *field.Path, a *corev1.NodeAffinity) (said []string) {
	if r := a.RequiredDuringSchedulingIgnoredDuringExecution; r != nil {
		terms := p.Child("requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
		for i := range r.NodeSelectorTerms {
			said = append(said, nodeTerm(terms.Index(i), &r.NodeSelectorTerms[i], false)...)
		}
	}
	for i := range a.PreferredDuringSchedulingIgnoredDuringExecution {
		at := p.Child("preferredDuringSchedulingIgnoredDuringExecution").Index(i).Child("preference")
		said = append(said, nodeTerm(at, &a.PreferredDuringSchedulingIgnoredDuringExecution[i].Preference, true)...)
	}
	return said
}

// nodeTerm is said of a term; of its values only if validation did not look at them.
func nodeTerm(p *field.Path, t *corev1.NodeSelectorTerm, values bool) (said []string) {
	for i, e := range t.MatchExpressions {
		at := p.Child("matchExpressions").Index(i)
		if why := oldLabels[e.Key]; why != "" {
			said = append(said, sayf(at.Child("key"), "%s is %s", e.Key, why))
		}
		for j, v := range e.Values {
			for _, msg := range validation.IsValidLabelValue(v) {
				if values {
					said = append(said, sayf(at.Child("values").Index(j), "%s is invalid, %s", v, msg))
				}
			}
		}
	}
	return said
}

// armor tells whether a container has profile by an annotation: of a new pod it has become its own.
func armor(c *corev1.Container, profile *corev1.AppArmorProfile) bool {
	return c.SecurityContext == nil || c.SecurityContext.AppArmorProfile == nil || equality.Semantic.DeepEqual(c.SecurityContext.AppArmorProfile, profile)
}

func annotations(p *field.Path, have map[string]string, s *corev1.PodSpec) (said []string) {
	for _, key := range slices.Sorted(maps.Keys(oldAnnotations)) {
		if _, is := have[key]; is {
			said = append(said, sayf(p.Key(key), "%s", oldAnnotations[key]))
		}
	}
	const seccomp = `non-functional in v1.27+; use the "seccompProfile" field instead`
	if _, is := have[corev1.SeccompPodAnnotationKey]; is && (s.SecurityContext == nil || s.SecurityContext.SeccompProfile == nil) {
		said = append(said, sayf(p.Key(corev1.SeccompPodAnnotationKey), "%s", seccomp))
	}
	each(nil, s, func(_ *field.Path, c *corev1.Container) {
		key := corev1.SeccompContainerAnnotationKeyPrefix + c.Name
		if _, is := have[key]; is && (c.SecurityContext == nil || c.SecurityContext.SeccompProfile == nil) {
			said = append(said, sayf(p.Key(key), "%s", seccomp))
		}
		key = corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix + c.Name
		if profile := defaults.AppArmorOf(have[key]); profile != nil && armor(c, profile) && !defaults.Armored(s.SecurityContext, profile) {
			said = append(said, sayf(p.Key(key), `deprecated since v1.30; use the "appArmorProfile" field instead`))
		}
	})
	return said
}

// lists are the lists in which an entry comes twice, or is none.
func lists(p *field.Path, s *corev1.PodSpec) (said []string) {
	seen := map[string]bool{}
	for i, a := range s.HostAliases {
		if seen[a.IP] {
			said = append(said, sayf(p.Child("hostAliases").Index(i).Child("ip"), "duplicate ip %q", a.IP))
		}
		seen[a.IP] = true
	}
	clear(seen)
	for i, r := range s.ImagePullSecrets {
		if seen[r.Name] {
			said = append(said, sayf(p.Child("imagePullSecrets").Index(i).Child("name"), "duplicate name %q", r.Name))
		}
		seen[r.Name] = true
	}
	for i, r := range s.ImagePullSecrets {
		if r.Name == "" {
			said = append(said, sayf(p.Child("imagePullSecrets").Index(i).Child("name"), "invalid empty name %q", r.Name))
		}
	}
	return said
}

// wholeBytes is said of amounts of memory and disk that are parts of bytes, as 100m is.
func wholeBytes(p *field.Path, list corev1.ResourceList) (said []string) {
	for _, name := range []corev1.ResourceName{corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
		if q, is := list[name]; is && fraction(q) {
			said = append(said, sayf(p.Key(string(name)), "fractional byte value %q is invalid, must be an integer", q.String()))
		}
	}
	return said
}

func fraction(q resource.Quantity) bool { return q.MilliValue()%1000 != 0 }

func grace(p *field.Path, seconds *int64) []string {
	if seconds == nil || *seconds >= 0 {
		return nil
	}
	return []string{sayf(p, "must be >= 0; negative values are invalid and will be treated as 1")}
}

func affinities(p *field.Path, a *corev1.Affinity) (said []string) {
	if a == nil {
		return nil
	}
	terms := func(at *field.Path, must []corev1.PodAffinityTerm, may []corev1.WeightedPodAffinityTerm) {
		for i, t := range must {
			if t.LabelSelector == nil {
				said = append(said, sayf(at.Child("requiredDuringSchedulingIgnoredDuringExecution").Index(i).Child("labelSelector"), matchesNothing))
			}
		}
		for i, t := range may {
			if t.PodAffinityTerm.LabelSelector == nil {
				said = append(said, sayf(at.Child("preferredDuringSchedulingIgnoredDuringExecution").Index(i).Child("podAffinityTerm", "labelSelector"), matchesNothing))
			}
		}
	}
	if w := a.PodAffinity; w != nil {
		terms(p.Child("podAffinity"), w.RequiredDuringSchedulingIgnoredDuringExecution, w.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if w := a.PodAntiAffinity; w != nil {
		terms(p.Child("podAntiAffinity"), w.RequiredDuringSchedulingIgnoredDuringExecution, w.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	return said
}
