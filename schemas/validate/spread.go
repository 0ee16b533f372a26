package validate

import (
	"fmt"
	"slices"

	v1 "k8s.io/api/core/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// spread checks how evenly the pod's like are to be spread. Per topology there is one
// constraint that must hold and one that should.
func spread(p *field.Path, list []v1.TopologySpreadConstraint) field.ErrorList {
	type pair struct {
		key  string
		when v1.UnsatisfiableConstraintAction
	}
	seen := map[pair]bool{}
	var errs field.ErrorList
	for i := range list {
		c, at := &list[i], p.Index(i)
		id := pair{c.TopologyKey, c.WhenUnsatisfiable}
		errs = extend(errs,
			spreadConstraint(at, c),
			when(seen[id], field.Duplicate(at, fmt.Sprintf("{%s, %s}", c.TopologyKey, c.WhenUnsatisfiable))),
		)
		seen[id] = true
	}
	return errs
}

func spreadConstraint(p *field.Path, c *v1.TopologySpreadConstraint) field.ErrorList {
	errs := slices.Concat(
		when(c.MaxSkew <= 0, field.Invalid(p.Child("maxSkew"), c.MaxSkew, mustBePositive)),
		topologyKey(p.Child("topologyKey"), c.TopologyKey),
		oneOf(p.Child("whenUnsatisfiable"), c.WhenUnsatisfiable, v1.DoNotSchedule, v1.ScheduleAnyway),
		maybeOneOf(p.Child("nodeAffinityPolicy"), c.NodeAffinityPolicy, v1.NodeInclusionPolicyHonor, v1.NodeInclusionPolicyIgnore),
		maybeOneOf(p.Child("nodeTaintsPolicy"), c.NodeTaintsPolicy, v1.NodeInclusionPolicyHonor, v1.NodeInclusionPolicyIgnore),
		labelKeys(p.Child("matchLabelKeys"), c.MatchLabelKeys, c.LabelSelector),
		selector(p.Child("labelSelector"), c.LabelSelector),
	)
	if n := c.MinDomains; n != nil {
		at := p.Child("minDomains")
		errs = append(errs, when(*n <= 0, field.Invalid(at, *n, mustBePositive))...)
		errs = append(errs, when(c.WhenUnsatisfiable != v1.DoNotSchedule, field.Invalid(at, *n,
			fmt.Sprintf("can only use minDomains if whenUnsatisfiable=%s, not %s", v1.DoNotSchedule, c.WhenUnsatisfiable)))...)
	}
	for i, key := range c.MatchLabelKeys {
		errs = append(errs, when(selects(c, key),
			field.Invalid(p.Child("matchLabelKeys").Index(i), key, "exists in both matchLabelKeys and labelSelector"))...)
	}
	return errs
}

// selects tells whether the constraint's selector names the key already.
func selects(c *v1.TopologySpreadConstraint, key string) bool {
	if c.LabelSelector == nil {
		return false
	}
	if _, ok := c.LabelSelector.MatchLabels[key]; ok {
		return true
	}
	for _, e := range c.LabelSelector.MatchExpressions {
		if e.Key == key {
			return true
		}
	}
	return false
}

func topologyKey(p *field.Path, key string) field.ErrorList {
	if key == "" {
		return field.ErrorList{field.Required(p, "can not be empty")}
	}
	return metavalidation.ValidateLabelName(key, p)
}
