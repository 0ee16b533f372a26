package validate

import (
	"slices"

	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// PodGroup checks a new PodGroup.
func PodGroup(obj schemas.Object) field.ErrorList { return create(obj, newPodGroup) }

// PodGroupUpdate checks obj as the next state of old: of what a group is only the number
// of pods that a gang needs at least can change.
func PodGroupUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, func(g, old *schedulingv1beta1.PodGroup) field.ErrorList {
		spec, was := g.Spec.DeepCopy(), old.Spec.DeepCopy()
		sameCount(&spec.SchedulingPolicy, &was.SchedulingPolicy)
		for _, s := range []*schedulingv1beta1.PodGroupSpec{spec, was} {
			if s.DisruptionMode == nil { // stored before there was a default
				s.DisruptionMode = &schedulingv1beta1.DisruptionMode{Single: &schedulingv1beta1.SingleDisruptionMode{}}
			}
		}
		return slices.Concat(metaUpdate(g, old), immutable(*spec, *was, specPath()), newPodGroup(g))
	})
}

// sameCount gives a gang the number that it had before.
func sameCount(policy, old *schedulingv1beta1.PodGroupSchedulingPolicy) {
	if policy.Gang != nil && old.Gang != nil {
		policy.Gang.MinCount = old.Gang.MinCount
	}
}

func newPodGroup(g *schedulingv1beta1.PodGroup) field.ErrorList {
	errs, p := namespaced(g, apivalidation.NameIsDNSSubdomain), specPath()
	if ref := g.Spec.WorkloadRef; ref != nil {
		at := p.Child("workloadRef")
		errs = extend(errs, required(at.Child("workloadName"), ref.WorkloadName, subdomain), required(at.Child("templateName"), ref.TemplateName, label))
	}
	if parent := g.Spec.ParentCompositePodGroupName; parent != nil {
		errs = extend(errs, subdomain(p.Child("parentCompositePodGroupName"), *parent),
			when(g.Spec.WorkloadRef == nil, field.Required(p.Child("workloadRef"), "is needed with parentCompositePodGroupName")))
	}
	return extend(errs, groupSpec(p, &schedulingv1beta1.PodGroupTemplate{
		SchedulingPolicy: g.Spec.SchedulingPolicy, SchedulingConstraints: g.Spec.SchedulingConstraints, ResourceClaims: g.Spec.ResourceClaims,
		DisruptionMode: g.Spec.DisruptionMode, PriorityClassName: g.Spec.PriorityClassName, Priority: g.Spec.Priority, PreemptionPolicy: g.Spec.PreemptionPolicy,
	}))
}

// groupSpec checks what groups and the templates of groups have in common.
func groupSpec(p *field.Path, t *schedulingv1beta1.PodGroupTemplate) field.ErrorList {
	errs := schedulingPolicy(p.Child("schedulingPolicy"), t.SchedulingPolicy)
	if t.SchedulingConstraints != nil {
		at := p.Child("schedulingConstraints", "topology")
		errs = extend(errs, fewer(at, len(t.SchedulingConstraints.Topology), 1))
		for i, c := range t.SchedulingConstraints.Topology {
			errs = extend(errs, required(at.Index(i).Child("key"), c.Key, qualified))
		}
	}
	if m := t.DisruptionMode; m != nil {
		errs = extend(errs, exactlyOne(p.Child("disruptionMode"), "exactly one of `single`, `all` is required", "may not specify more than one mode",
			[]member{{"single", m.Single != nil, nil}, {"all", m.All != nil, nil}}))
	}
	if t.Priority != nil {
		errs = extend(errs, when(*t.Priority > highestUserPriority, field.Invalid(p.Child("priority"), *t.Priority, "must be less than or equal to 1000000000")))
	}
	return extend(errs, groupClaims(p.Child("resourceClaims"), t.ResourceClaims), optional(p.Child("priorityClassName"), t.PriorityClassName, subdomain),
		maybeOneOf(p.Child("preemptionPolicy"), t.PreemptionPolicy, schedulingv1beta1.PreemptLowerPriority, schedulingv1beta1.PreemptNever))
}

func schedulingPolicy(p *field.Path, policy schedulingv1beta1.PodGroupSchedulingPolicy) field.ErrorList {
	switch {
	case policy.Basic == nil && policy.Gang == nil:
		return field.ErrorList{field.Required(p, "exactly one of `basic`, `gang` is required")}
	case policy.Basic != nil && policy.Gang != nil:
		return field.ErrorList{field.Invalid(p, "basic, gang", "exactly one of `basic`, `gang` is required, but multiple fields are set")}
	case policy.Gang != nil && policy.Gang.MinCount < 1:
		return field.ErrorList{field.Invalid(p.Child("gang", "minCount"), policy.Gang.MinCount, mustBePositive)}
	}
	return nil
}

func groupClaims(p *field.Path, claims []schedulingv1beta1.PodGroupResourceClaim) field.ErrorList {
	errs, seen := fewer(p, len(claims), schedulingv1beta1.MaxPodGroupResourceClaims), map[string]bool{}
	for i, c := range claims {
		at := p.Index(i)
		errs = extend(errs, required(at.Child("name"), c.Name, label), when(seen[c.Name], field.Duplicate(at.Child("name"), c.Name)),
			when((c.ResourceClaimName == nil) == (c.ResourceClaimTemplateName == nil), field.Invalid(at, c.Name, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`")))
		seen[c.Name] = true
	}
	return errs
}

func fewer(p *field.Path, n, limit int) field.ErrorList {
	return when(n > limit, field.TooMany(p, n, limit))
}
