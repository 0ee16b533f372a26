package defaults

import v1 "k8s.io/api/core/v1"

// stay is how long a pod stays, by default, on a node that is lost, in seconds.
const stay = 300

// AddPodTolerations lets the pod stay 300 seconds on a node that became not ready or
// unreachable, unless the pod says for itself how long. It is for admission of pods:
// templates do not get the tolerations.
func AddPodTolerations(p *v1.Pod) {
	for _, key := range []string{v1.TaintNodeNotReady, v1.TaintNodeUnreachable} {
		if toleratesEviction(p, key) {
			continue
		}
		seconds := int64(stay)
		p.Spec.Tolerations = append(p.Spec.Tolerations, v1.Toleration{
			Key: key, Operator: v1.TolerationOpExists, Effect: v1.TaintEffectNoExecute, TolerationSeconds: &seconds,
		})
	}
}

func toleratesEviction(p *v1.Pod, key string) bool {
	for _, t := range p.Spec.Tolerations {
		if (t.Key == key || t.Key == "") && (t.Effect == v1.TaintEffectNoExecute || t.Effect == "") {
			return true
		}
	}
	return false
}

// PodQOS computes the pod's quality of service class: Guaranteed if every container
// limits cpu and memory and requests exactly that, BestEffort if none asks for
// either, else Burstable. Resources of the pod as a whole count instead of the
// containers' own.
func PodQOS(p *v1.Pod) v1.PodQOSClass {
	var parts []*v1.ResourceRequirements
	if r := p.Spec.Resources; r != nil && len(r.Requests)+len(r.Limits) > 0 {
		parts = append(parts, r)
	} else {
		for _, c := range workContainers(&p.Spec) {
			parts = append(parts, &c.Resources)
		}
	}
	guaranteed := true
	requests, limits := v1.ResourceList{}, v1.ResourceList{}
	for _, r := range parts {
		add(requests, compute(r.Requests))
		limited := compute(r.Limits)
		add(limits, limited)
		guaranteed = guaranteed && len(limited) == 2
	}
	switch {
	case len(requests) == 0 && len(limits) == 0:
		return v1.PodQOSBestEffort
	case guaranteed && equal(requests, limits):
		return v1.PodQOSGuaranteed
	default:
		return v1.PodQOSBurstable
	}
}

// compute keeps of list what decides the class: cpu and memory that are not zero.
func compute(list v1.ResourceList) v1.ResourceList {
	kept := v1.ResourceList{}
	for _, name := range []v1.ResourceName{v1.ResourceCPU, v1.ResourceMemory} {
		if q, ok := list[name]; ok && q.Sign() > 0 {
			kept[name] = q
		}
	}
	return kept
}

func equal(a, b v1.ResourceList) bool {
	if len(a) != len(b) {
		return false
	}
	for name, q := range a {
		if other, ok := b[name]; !ok || q.Cmp(other) != 0 {
			return false
		}
	}
	return true
}
