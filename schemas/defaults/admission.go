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
