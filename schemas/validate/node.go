package validate

import (
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"github.com/skerry/skerry/schemas"
)

// Node checks a new Node.
func Node(obj schemas.Object) field.ErrorList { return create(obj, newNode) }

// NodeUpdate checks obj as the next state of old.
func NodeUpdate(obj, old schemas.Object) field.ErrorList { return update(obj, old, updatedNode) }

func newNode(n *v1.Node) field.ErrorList {
	status := field.NewPath("status")
	return slices.Concat(
		clusterScoped(n, apivalidation.NameIsDNSSubdomain),
		taints(specPath().Child("taints"), n.Spec.Taints),
		podCIDRs(&n.Spec),
		quantities(status.Child("capacity"), n.Status.Capacity),
		quantities(status.Child("allocatable"), n.Status.Allocatable),
		addresses(status.Child("addresses"), n.Status.Addresses),
	)
}

// taints checks the list; a pair of key and effect may be there once.
func taints(p *field.Path, list []v1.Taint) field.ErrorList {
	var errs field.ErrorList
	type pair struct {
		key    string
		effect v1.TaintEffect
	}
	seen := map[pair]bool{}
	for i, t := range list {
		at := p.Index(i)
		errs = extend(errs,
			metavalidation.ValidateLabelName(t.Key, at.Child("key")),
			labelValue(at.Child("value"), t.Value),
			taintEffect(at.Child("effect"), t.Effect),
		)
		id := pair{t.Key, t.Effect}
		if seen[id] {
			twice := field.Duplicate(at, t.Key+":"+string(t.Effect))
			twice.Detail = "taints must be unique by key and effect pair"
			errs = append(errs, twice)
		}
		seen[id] = true
	}
	return errs
}

func taintEffect(p *field.Path, e v1.TaintEffect) field.ErrorList {
	return oneOf(p, e, v1.TaintEffectNoSchedule, v1.TaintEffectPreferNoSchedule, v1.TaintEffectNoExecute)
}

func labelValue(p *field.Path, value string) field.ErrorList {
	if msgs := validation.IsValidLabelValue(value); len(msgs) > 0 {
		return field.ErrorList{field.Invalid(p, value, strings.Join(msgs, ";"))}
	}
	return nil
}

// podCIDRs checks the ranges of the node's pods: at most one of each IP family.
func podCIDRs(s *v1.NodeSpec) field.ErrorList {
	p := specPath().Child("podCIDRs")
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, c := range s.PodCIDRs {
		errs = append(errs, validation.IsValidCIDR(p.Index(i), c)...)
		errs = append(errs, when(seen[c], field.Duplicate(p.Index(i), c))...)
		seen[c] = true
	}
	if len(s.PodCIDRs) > 1 {
		dual, err := netutils.IsDualStackCIDRStrings(s.PodCIDRs)
		errs = append(errs, when(err != nil || !dual || len(s.PodCIDRs) > 2,
			field.Invalid(p, s.PodCIDRs, "may specify no more than one CIDR for each IP family"))...)
	}
	if s.PodCIDR == "" {
		return errs
	}
	if len(s.PodCIDRs) == 0 {
		return append(errs, validation.IsValidCIDR(specPath().Child("podCIDR"), s.PodCIDR)...)
	}
	return append(errs, when(s.PodCIDR != s.PodCIDRs[0],
		field.Invalid(specPath().Child("podCIDR"), s.PodCIDR, "must be the first of podCIDRs"))...)
}

func quantities(p *field.Path, list v1.ResourceList) field.ErrorList {
	var errs field.ErrorList
	for _, name := range keysOf(list) {
		errs = append(errs, quantity(p.Key(string(name)), name, list[name])...)
	}
	return errs
}

func addresses(p *field.Path, list []v1.NodeAddress) field.ErrorList {
	var errs field.ErrorList
	seen := map[v1.NodeAddress]bool{}
	for i, a := range list {
		errs = append(errs, when(seen[a], field.Duplicate(p.Index(i), string(a.Type)+" "+a.Address))...)
		seen[a] = true
	}
	return errs
}

func updatedNode(n, old *v1.Node) field.ErrorList {
	// What was given to the node once is in use there, so it can only be given once.
	moved := len(old.Spec.PodCIDRs) > 0 && !slices.Equal(old.Spec.PodCIDRs, n.Spec.PodCIDRs)
	renamed := old.Spec.PodCIDR != "" && old.Spec.PodCIDR != n.Spec.PodCIDR
	provided := old.Spec.ProviderID != "" && old.Spec.ProviderID != n.Spec.ProviderID
	external := old.Spec.DoNotUseExternalID != n.Spec.DoNotUseExternalID
	return slices.Concat(
		metaUpdate(n, old),
		when(moved, field.Forbidden(specPath().Child("podCIDRs"), `node updates may not change podCIDR except from "" to valid`)),
		when(renamed, field.Forbidden(specPath().Child("podCIDR"), `node updates may not change podCIDR except from "" to valid`)),
		when(provided, field.Forbidden(specPath().Child("providerID"), `node updates may not change providerID except from "" to valid`)),
		when(external, field.Forbidden(specPath().Child("externalID"), "may not be updated")),
		newNode(n),
	)
}
