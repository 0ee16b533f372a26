package validate

import (
	"math"
	"slices"

	v1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// podRules checks one pod spec: what its parts need to know of the whole.
type podRules struct {
	path    *field.Path
	spec    *v1.PodSpec
	pod     *v1.Pod                    // nil if the spec is a template's
	volumes map[string]v1.VolumeSource // the faultless ones, by name
}

// podSpec checks a spec: of pod, or of a template if pod is nil. The pods of one template
// have one spec: it is checked once.
func podSpec(p *field.Path, s *v1.PodSpec, pod *v1.Pod) field.ErrorList {
	if pod == nil {
		return freshSpec(p, s, nil)
	}
	sum, ok := faultless.sum(s)
	if ok && faultless.has(sum) {
		return nil
	}
	errs := freshSpec(p, s, pod)
	if ok && len(errs) == 0 {
		faultless.add(sum)
	}
	return errs
}

// freshSpec checks a spec that nothing is known of.
func freshSpec(p *field.Path, s *v1.PodSpec, pod *v1.Pod) field.ErrorList {
	r := &podRules{path: p, spec: s, pod: pod, volumes: map[string]v1.VolumeSource{}}
	// Volumes come first: mounts are checked against them.
	volumes := r.checkVolumes()
	return slices.Concat(
		volumes,
		r.checkContainers(),
		r.checkInitContainers(),
		r.checkEphemeralContainers(),
		r.checkPodResources(),
		r.checkLife(),
		r.checkNames(),
		r.checkPlacement(),
		r.checkNetwork(),
		r.checkHostNamespaces(),
		r.checkSecurity(),
		r.checkOS(),
	)
}

// checkLife checks how long the pod and its containers live, and what that depends on.
func (r *podRules) checkLife() field.ErrorList {
	s, p := r.spec, r.path
	errs := slices.Concat(
		oneOf(p.Child("restartPolicy"), s.RestartPolicy, v1.RestartPolicyAlways, v1.RestartPolicyOnFailure, v1.RestartPolicyNever),
		when(s.TerminationGracePeriodSeconds == nil, field.Required(p.Child("terminationGracePeriodSeconds"), mustBeSet)),
		preemption(p.Child("preemptionPolicy"), s.PreemptionPolicy),
	)
	if n := s.ActiveDeadlineSeconds; n != nil && (*n < 1 || *n > math.MaxInt32) {
		errs = append(errs, field.Invalid(p.Child("activeDeadlineSeconds"), *n, validation.InclusiveRangeError(1, math.MaxInt32)))
	}
	for i, g := range s.ReadinessGates {
		errs = append(errs, qualified(p.Child("readinessGates").Index(i).Child("conditionType"), string(g.ConditionType))...)
	}
	seen := map[string]bool{}
	for i, responder := range s.EvictionResponders {
		at := p.Child("evictionResponders").Index(i)
		errs = append(errs, validation.IsDomainPrefixedKey(at.Child("name"), responder.Name)...)
		errs = append(errs, when(seen[responder.Name], field.Duplicate(at.Child("name"), responder.Name))...)
		seen[responder.Name] = true
		errs = append(errs, responderPriority(at.Child("priority"), responder.Priority)...)
	}
	return errs
}

func responderPriority(p *field.Path, n *int32) field.ErrorList {
	const most = 100000
	if n == nil {
		return field.ErrorList{field.Required(p, mustBeSet)}
	}
	return when(*n < 0 || *n > most, field.Invalid(p, *n, validation.InclusiveRangeError(0, most)))
}

// checkNames checks the names of other objects.
func (r *podRules) checkNames() field.ErrorList {
	s, p := r.spec, r.path
	errs := slices.Concat(
		optional(p.Child("serviceAccountName"), s.ServiceAccountName, subdomain),
		optional(p.Child("nodeName"), s.NodeName, subdomain),
		optional(p.Child("priorityClassName"), s.PriorityClassName, subdomain),
	)
	if s.RuntimeClassName != nil {
		errs = append(errs, subdomain(p.Child("runtimeClassName"), *s.RuntimeClassName)...)
	}
	if g := s.SchedulingGroup; g != nil && g.PodGroupName != nil {
		errs = append(errs, subdomain(p.Child("schedulingGroup", "podGroupName"), *g.PodGroupName)...)
	}
	return append(errs, r.checkResourceClaims()...)
}

func (r *podRules) checkResourceClaims() field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, c := range r.spec.ResourceClaims {
		at := r.path.Child("resourceClaims").Index(i)
		errs = append(errs, required(at.Child("name"), c.Name, label)...)
		errs = append(errs, when(c.Name != "" && seen[c.Name], field.Duplicate(at.Child("name"), c.Name))...)
		seen[c.Name] = true
		byName, byTemplate := c.ResourceClaimName != nil, c.ResourceClaimTemplateName != nil
		switch {
		case byName && byTemplate:
			errs = append(errs, field.Invalid(at, c.Name, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"))
		case byName:
			errs = append(errs, subdomain(at.Child("resourceClaimName"), *c.ResourceClaimName)...)
		case byTemplate:
			errs = append(errs, subdomain(at.Child("resourceClaimTemplateName"), *c.ResourceClaimTemplateName)...)
		default:
			errs = append(errs, field.Invalid(at, c.Name, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"))
		}
	}
	return errs
}

// checkPlacement checks what decides on which node the pod runs.
func (r *podRules) checkPlacement() field.ErrorList {
	s, p := r.spec, r.path
	errs := slices.Concat(
		metavalidation.ValidateLabels(s.NodeSelector, p.Child("nodeSelector")),
		affinity(p.Child("affinity"), s.Affinity),
		tolerations(p.Child("tolerations"), s.Tolerations),
		spread(p.Child("topologySpreadConstraints"), s.TopologySpreadConstraints),
	)
	seen := map[string]bool{}
	for i, g := range s.SchedulingGates {
		at := p.Child("schedulingGates").Index(i)
		errs = extend(errs, qualified(at, g.Name), when(seen[g.Name], field.Duplicate(at, g.Name)))
		seen[g.Name] = true
	}
	return errs
}

// isPod tells a pod from a template, of which less is asked: some of it is filled in
// only when a pod is made.
func (r *podRules) isPod() bool { return r.pod != nil }

// podName is the pod's name; "" for a template and for a name still to be generated.
func (r *podRules) podName() string {
	if r.pod == nil || len(apivalidation.NameIsDNSSubdomain(r.pod.Name, false)) > 0 {
		return ""
	}
	return r.pod.Name
}
