package admit

import (
	"errors"
	"fmt"
	"slices"

	v1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/skerry/skerry/schemas"
)

// runtimeClass gives a pod what its class asks for: the overhead that it costs beside its
// containers, and the nodes that have the runtime.
func runtimeClass(s State, p *v1.Pod) error {
	var class *nodev1.RuntimeClass
	if name := p.Spec.RuntimeClassName; name != nil {
		obj, ok := s.Get(schemas.Ref{Resource: schemas.RuntimeClasses, Name: schemas.Name(*name)})
		if class, _ = obj.(*nodev1.RuntimeClass); !ok || class == nil {
			return refusePod(p, fmt.Errorf("pod rejected: RuntimeClass %q not found", *name))
		}
	}
	if class == nil || class.Overhead == nil {
		if p.Spec.Overhead != nil {
			return refusePod(p, errors.New("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"))
		}
	} else {
		if p.Spec.Overhead != nil && !equality.Semantic.DeepEqual(class.Overhead.PodFixed, p.Spec.Overhead) {
			return refusePod(p, errors.New("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"))
		}
		p.Spec.Overhead = class.Overhead.PodFixed.DeepCopy()
	}
	if class == nil || class.Scheduling == nil {
		return nil
	}
	return schedule(p, class.Scheduling)
}

func schedule(p *v1.Pod, s *nodev1.Scheduling) error {
	for key, value := range s.NodeSelector {
		own, ok := p.Spec.NodeSelector[key]
		if ok && own != value {
			return refusePod(p, fmt.Errorf("conflict: runtimeClass.scheduling.nodeSelector[%s] = %s; pod.spec.nodeSelector[%s] = %s", key, value, key, own))
		}
		if p.Spec.NodeSelector == nil {
			p.Spec.NodeSelector = map[string]string{}
		}
		p.Spec.NodeSelector[key] = value
	}
	for _, t := range s.Tolerations {
		same := func(o v1.Toleration) bool { return equality.Semantic.DeepEqual(o, t) }
		if !slices.ContainsFunc(p.Spec.Tolerations, same) {
			p.Spec.Tolerations = append(p.Spec.Tolerations, t)
		}
	}
	return nil
}
