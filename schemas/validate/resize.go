package validate

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/amount"
)

// ResizeUpdate checks what the subresource resize makes of a pod: it may change cpu and
// memory of containers, of sidecars and of the pod as a whole, but not its class.
func ResizeUpdate(obj, old schemas.Object) field.ErrorList { return update(obj, old, resizedPod) }

func resizedPod(p, old *v1.Pod) field.ErrorList {
	errs := append(metaUpdate(p, old), wholePod(p)...)
	rest := p.Spec.DeepCopy()
	for _, list := range []struct {
		name           string
		now, old, rest []v1.Container
	}{
		{"containers", p.Spec.Containers, old.Spec.Containers, rest.Containers},
		{"initContainers", p.Spec.InitContainers, old.Spec.InitContainers, rest.InitContainers},
	} {
		at := specPath().Child(list.name)
		if len(list.now) != len(list.old) {
			return append(errs, field.Forbidden(at, "containers may not be added or removed on resize"))
		}
		for i := range list.now {
			if list.now[i].Name != list.old[i].Name {
				return append(errs, field.Forbidden(at, "containers may not be renamed or reordered on resize"))
			}
			path := at.Index(i).Child("resources")
			if list.name == "initContainers" && !amount.IsSidecar(&list.old[i]) {
				fixed := !equality.Semantic.DeepEqual(list.now[i].Resources, list.old[i].Resources)
				errs = append(errs, when(fixed, field.Forbidden(path, "resources for non-sidecar init containers are immutable"))...)
			}
			errs = append(errs, keptResources(path, &list.now[i].Resources, &list.old[i].Resources)...)
			restore(&list.rest[i].Resources, &list.old[i].Resources)
		}
	}
	errs = append(errs, resizedWhole(rest, p.Spec.Resources, old.Spec.Resources)...)
	class, was := amount.QOS(&p.Spec), amount.QOS(&old.Spec)
	return extend(errs,
		when(class != was, field.Invalid(specPath(), class, "Pod QOS Class may not change as a result of resizing")),
		when(!equality.Semantic.DeepEqual(*rest, old.Spec), field.Forbidden(specPath(), "only cpu and memory resources are mutable")),
	)
}

// resizedWhole checks the resources of the pod as a whole, which may be added but not removed, and
// gives rest the cpu and memory that there were.
func resizedWhole(rest *v1.PodSpec, now, old *v1.ResourceRequirements) field.ErrorList {
	at := specPath().Child("resources")
	switch {
	case now == nil && old != nil:
		rest.Resources = old
		return field.ErrorList{field.Forbidden(at, "pod-level resources cannot be removed")}
	case now == nil:
		return nil
	case old == nil:
		restore(rest.Resources, &v1.ResourceRequirements{})
		if len(rest.Resources.Requests)+len(rest.Resources.Limits)+len(rest.Resources.Claims) == 0 {
			rest.Resources = nil
		}
		return nil
	}
	restore(rest.Resources, old)
	return keptResources(at, now, old)
}

// keptResources lets no request and no limit go that there was.
func keptResources(p *field.Path, now, old *v1.ResourceRequirements) field.ErrorList {
	gone := func(now, old v1.ResourceList) bool {
		for _, n := range []v1.ResourceName{v1.ResourceCPU, v1.ResourceMemory} {
			_, had := old[n]
			if _, has := now[n]; had && !has {
				return true
			}
		}
		return false
	}
	return append(when(gone(now.Requests, old.Requests), field.Forbidden(p.Child("requests"), "resource requests cannot be removed")),
		when(gone(now.Limits, old.Limits), field.Forbidden(p.Child("limits"), "resource limits cannot be removed"))...)
}

// restore gives r the cpu and memory of old, so that other differences remain.
func restore(r, old *v1.ResourceRequirements) {
	for _, l := range []struct {
		now *v1.ResourceList
		old v1.ResourceList
	}{{&r.Requests, old.Requests}, {&r.Limits, old.Limits}} {
		for _, n := range []v1.ResourceName{v1.ResourceCPU, v1.ResourceMemory} {
			q, had := l.old[n]
			switch {
			case !had:
				delete(*l.now, n)
			case *l.now == nil:
				*l.now = v1.ResourceList{n: q}
			default:
				(*l.now)[n] = q
			}
		}
	}
}
