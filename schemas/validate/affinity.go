package validate

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	requiredTerms  = "requiredDuringSchedulingIgnoredDuringExecution"
	preferredTerms = "preferredDuringSchedulingIgnoredDuringExecution"
)

func affinity(p *field.Path, a *v1.Affinity) field.ErrorList {
	if a == nil {
		return nil
	}
	var errs field.ErrorList
	if n := a.NodeAffinity; n != nil {
		errs = append(errs, nodeAffinity(p.Child("nodeAffinity"), n)...)
	}
	if n := a.PodAffinity; n != nil {
		errs = append(errs, podAffinity(p.Child("podAffinity"),
			n.RequiredDuringSchedulingIgnoredDuringExecution, n.PreferredDuringSchedulingIgnoredDuringExecution)...)
	}
	if n := a.PodAntiAffinity; n != nil {
		errs = append(errs, podAffinity(p.Child("podAntiAffinity"),
			n.RequiredDuringSchedulingIgnoredDuringExecution, n.PreferredDuringSchedulingIgnoredDuringExecution)...)
	}
	return errs
}

func nodeAffinity(p *field.Path, n *v1.NodeAffinity) field.ErrorList {
	var errs field.ErrorList
	if s := n.RequiredDuringSchedulingIgnoredDuringExecution; s != nil {
		terms := p.Child(requiredTerms, "nodeSelectorTerms")
		errs = append(errs, when(len(s.NodeSelectorTerms) == 0, field.Required(terms, "must have at least one node selector term"))...)
		for i := range s.NodeSelectorTerms {
			errs = append(errs, nodeTerm(terms.Index(i), &s.NodeSelectorTerms[i], true)...)
		}
	}
	for i := range n.PreferredDuringSchedulingIgnoredDuringExecution {
		t, at := &n.PreferredDuringSchedulingIgnoredDuringExecution[i], p.Child(preferredTerms).Index(i)
		errs = append(errs, weight(at.Child("weight"), t.Weight)...)
		// What cannot match is only never preferred, so values are not checked.
		errs = append(errs, nodeTerm(at.Child("preference"), &t.Preference, false)...)
	}
	return errs
}

func weight(p *field.Path, n int32) field.ErrorList {
	return when(n < 1 || n > 100, field.Invalid(p, n, "must be in the range 1-100"))
}

func nodeTerm(p *field.Path, t *v1.NodeSelectorTerm, values bool) field.ErrorList {
	var errs field.ErrorList
	for i, r := range t.MatchExpressions {
		at := p.Child("matchExpressions").Index(i)
		errs = extend(errs, nodeOperator(at, &r), metavalidation.ValidateLabelName(r.Key, at.Child("key")))
		for j, v := range r.Values {
			if values {
				errs = append(errs, faults(at.Child("values").Index(j), v, validation.IsValidLabelValue(v))...)
			}
		}
	}
	for i, r := range t.MatchFields {
		errs = append(errs, nodeField(p.Child("matchFields").Index(i), &r)...)
	}
	return errs
}

func nodeOperator(p *field.Path, r *v1.NodeSelectorRequirement) field.ErrorList {
	values := p.Child("values")
	switch r.Operator {
	case v1.NodeSelectorOpIn, v1.NodeSelectorOpNotIn:
		return when(len(r.Values) == 0, field.Required(values, "must be specified when `operator` is 'In' or 'NotIn'"))
	case v1.NodeSelectorOpExists, v1.NodeSelectorOpDoesNotExist:
		return when(len(r.Values) > 0, field.Forbidden(values, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
	case v1.NodeSelectorOpGt, v1.NodeSelectorOpLt:
		return when(len(r.Values) != 1, field.Required(values, "must be specified single value when `operator` is 'Lt' or 'Gt'"))
	}
	return field.ErrorList{field.Invalid(p.Child("operator"), r.Operator, "not a valid selector operator")}
}

// nodeField selects a node by name: nodes have no other field to be selected by.
func nodeField(p *field.Path, r *v1.NodeSelectorRequirement) field.ErrorList {
	var errs field.ErrorList
	switch r.Operator {
	case v1.NodeSelectorOpIn, v1.NodeSelectorOpNotIn:
		errs = when(len(r.Values) != 1, field.Required(p.Child("values"),
			"must be only one value when `operator` is 'In' or 'NotIn' for node field selector"))
	default:
		errs = append(errs, field.Invalid(p.Child("operator"), r.Operator, "not a valid selector operator"))
	}
	if r.Key != metav1.ObjectNameField {
		return append(errs, field.Invalid(p.Child("key"), r.Key, "not a valid field selector key"))
	}
	for i, v := range r.Values {
		errs = append(errs, faults(p.Child("values").Index(i), v, apivalidation.NameIsDNSSubdomain(v, false))...)
	}
	return errs
}

func podAffinity(p *field.Path, need []v1.PodAffinityTerm, prefer []v1.WeightedPodAffinityTerm) field.ErrorList {
	var errs field.ErrorList
	for i := range need {
		errs = append(errs, podTerm(p.Child(requiredTerms).Index(i), &need[i])...)
	}
	for i := range prefer {
		at := p.Child(preferredTerms).Index(i)
		errs = append(errs, weight(at.Child("weight"), prefer[i].Weight)...)
		errs = append(errs, podTerm(at.Child("podAffinityTerm"), &prefer[i].PodAffinityTerm)...)
	}
	return errs
}

func podTerm(p *field.Path, t *v1.PodAffinityTerm) field.ErrorList {
	errs := append(selector(p.Child("labelSelector"), t.LabelSelector), selector(p.Child("namespaceSelector"), t.NamespaceSelector)...)
	for i, ns := range t.Namespaces {
		errs = append(errs, faults(p.Child("namespaces").Index(i), ns, apivalidation.ValidateNamespaceName(ns, false))...)
	}
	errs = append(errs, labelKeys(p.Child("matchLabelKeys"), t.MatchLabelKeys, t.LabelSelector)...)
	errs = append(errs, labelKeys(p.Child("mismatchLabelKeys"), t.MismatchLabelKeys, t.LabelSelector)...)
	for i, key := range t.MatchLabelKeys {
		at := p.Child("matchLabelKeys").Index(i)
		both := slices.Contains(t.MismatchLabelKeys, key)
		errs = append(errs, when(both, field.Invalid(at, key, "exists in both matchLabelKeys and mismatchLabelKeys"))...)
	}
	at := p.Child("topologyKey")
	return extend(errs, when(t.TopologyKey == "", field.Required(at, "can not be empty")), metavalidation.ValidateLabelName(t.TopologyKey, at))
}

// labelKeys checks keys whose values are taken from the pod and added to its selector.
func labelKeys(p *field.Path, keys []string, s *metav1.LabelSelector) field.ErrorList {
	if len(keys) > 0 && s == nil {
		return field.ErrorList{field.Forbidden(p, "must not be specified when labelSelector is not set")}
	}
	var errs field.ErrorList
	for i, key := range keys {
		errs = append(errs, metavalidation.ValidateLabelName(key, p.Index(i))...)
	}
	return errs
}

func selector(p *field.Path, s *metav1.LabelSelector) field.ErrorList {
	return metavalidation.ValidateLabelSelector(s, metavalidation.LabelSelectorValidationOptions{}, p)
}
