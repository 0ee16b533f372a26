package validate

import (
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// containerResources checks what a container asks for and may use at most.
func containerResources(p *field.Path, r *v1.ResourceRequirements) field.ErrorList {
	return requirements(p, r, containerResource)
}

func requirements(p *field.Path, r *v1.ResourceRequirements, name func(*field.Path, v1.ResourceName) field.ErrorList) field.ErrorList {
	limits, requests := p.Child("limits"), p.Child("requests")
	var errs field.ErrorList
	huge, compute := false, false
	note := func(at *field.Path, res v1.ResourceName, q resource.Quantity) {
		errs = extend(errs, name(at, res), quantity(at, res, q), hugePages(at, res, q))
		huge = huge || isHugePage(res)
		compute = compute || res == v1.ResourceCPU || res == v1.ResourceMemory
	}
	for _, res := range keysOf(r.Limits) {
		note(limits.Key(string(res)), res, r.Limits[res])
	}
	for _, res := range keysOf(r.Requests) {
		q := r.Requests[res]
		note(requests.Key(string(res)), res, q)
		limit, limited := r.Limits[res]
		switch {
		case !limited:
			errs = append(errs, when(!overcommitable(res), field.Required(limits, "Limit must be set for non overcommitable resources"))...)
		case !overcommitable(res) && q.Cmp(limit) != 0:
			errs = append(errs, field.Invalid(requests, q.String(), fmt.Sprintf("must be equal to %s limit of %s", res, limit.String())))
		case q.Cmp(limit) > 0:
			errs = append(errs, field.Invalid(requests, q.String(), fmt.Sprintf("must be less than or equal to %s limit of %s", res, limit.String())))
		}
	}
	return append(errs, when(huge && !compute, field.Forbidden(p, "HugePages require cpu or memory"))...)
}

// checkPodResources checks what the pod as a whole asks for (KEP-2837).
func (r *podRules) checkPodResources() field.ErrorList {
	p, res := r.path.Child("resources"), r.spec.Resources
	errs := overhead(r.path.Child("overhead"), r.spec.Overhead)
	if res == nil {
		return errs
	}
	errs = append(errs, when(len(res.Claims) > 0, field.Forbidden(p.Child("claims"), "claims cannot be set for Resources at pod-level"))...)
	errs = append(errs, requirements(p, res, podResource)...)
	for i := range r.spec.Containers {
		own := r.spec.Containers[i].Resources.Limits
		for _, name := range keysOf(own) {
			q, whole := own[name], res.Limits[name]
			_, limited := res.Limits[name]
			at := r.path.Child("containers").Index(i).Child("resources", "limits").Key(string(name))
			errs = append(errs, when(limited && q.Cmp(whole) > 0,
				field.Invalid(at, q.String(), "must be less than or equal to pod limits of "+whole.String()))...)
		}
	}
	return errs
}

func overhead(p *field.Path, list v1.ResourceList) field.ErrorList {
	return requirements(p, &v1.ResourceRequirements{Limits: list}, containerResource)
}

// podResource is one of the few resources that a pod can share among its containers.
func podResource(p *field.Path, name v1.ResourceName) field.ErrorList {
	if isHugePage(name) {
		return nil
	}
	return oneOf(p, name, v1.ResourceCPU, v1.ResourceMemory)
}

// containerResource is a resource that Kubernetes knows, or one of a device plug-in.
func containerResource(p *field.Path, name v1.ResourceName) field.ErrorList {
	if errs := qualified(p, string(name)); len(errs) > 0 {
		return errs
	}
	standard := name == v1.ResourceCPU || name == v1.ResourceMemory || name == v1.ResourceEphemeralStorage || isHugePage(name)
	switch {
	case !strings.Contains(string(name), "/"):
		return extend(when(!resourceType(name), field.Invalid(p, name, "must be a standard resource type or fully qualified")),
			when(!standard, field.Invalid(p, name, "must be a standard resource for containers")))
	case native(name):
		return nil
	}
	bad := strings.HasPrefix(string(name), v1.DefaultResourceRequestsPrefix) ||
		len(validation.IsQualifiedName(v1.DefaultResourceRequestsPrefix+string(name))) > 0
	return when(bad, field.Invalid(p, name, "doesn't follow extended resource name standard"))
}

// resourceType tells whether name is one of the resources that Kubernetes counts anywhere, if not
// in containers.
func resourceType(name v1.ResourceName) bool {
	return isHugePage(name) || slices.Contains([]v1.ResourceName{
		v1.ResourceCPU, v1.ResourceMemory, v1.ResourceEphemeralStorage, v1.ResourceRequestsCPU, v1.ResourceRequestsMemory,
		v1.ResourceRequestsEphemeralStorage, v1.ResourceLimitsCPU, v1.ResourceLimitsMemory, v1.ResourceLimitsEphemeralStorage,
		v1.ResourcePods, v1.ResourceQuotas, v1.ResourceServices, v1.ResourceReplicationControllers, v1.ResourceSecrets,
		v1.ResourceConfigMaps, v1.ResourcePersistentVolumeClaims, v1.ResourceStorage, v1.ResourceRequestsStorage,
		v1.ResourceServicesNodePorts, v1.ResourceServicesLoadBalancers,
	}, name)
}

// quantity checks an amount of a resource: not negative, and whole if there are no parts of it.
func quantity(p *field.Path, name v1.ResourceName, q resource.Quantity) field.ErrorList {
	const thousandths = 1000
	whole := name == v1.ResourcePods || !native(name)
	return append(
		when(q.Sign() < 0, field.Invalid(p, q.String(), apivalidation.IsNegativeErrorMsg)),
		when(whole && q.MilliValue()%thousandths != 0, field.Invalid(p, q.String(), "must be an integer"))...)
}

// hugePages checks that an amount is a multiple of the page size in the resource's name.
func hugePages(p *field.Path, name v1.ResourceName, q resource.Quantity) field.ErrorList {
	if !isHugePage(name) {
		return nil
	}
	size, err := resource.ParseQuantity(strings.TrimPrefix(string(name), v1.ResourceHugePagesPrefix))
	fits := err == nil && size.Sign() > 0 && size.MilliValue()%1000 == 0 && q.Value()%max(size.Value(), 1) == 0
	return when(!fits, field.Invalid(p, q.String(), fmt.Sprintf("%s is not positive integer multiple of %s", q.String(), name)))
}

func isHugePage(name v1.ResourceName) bool {
	return strings.HasPrefix(string(name), v1.ResourceHugePagesPrefix)
}

// native resources are Kubernetes' own.
func native(name v1.ResourceName) bool {
	return !strings.Contains(string(name), "/") || strings.Contains(string(name), v1.ResourceDefaultNamespacePrefix)
}

func overcommitable(name v1.ResourceName) bool { return native(name) && !isHugePage(name) }

// containerClaims checks that the device claims a container uses are the pod's.
func (r *podRules) containerClaims(p *field.Path, claims []v1.ResourceClaim) field.ErrorList {
	var errs field.ErrorList
	seen, pods := map[string]bool{}, map[string]bool{}
	for _, c := range r.spec.ResourceClaims {
		pods[c.Name] = true
	}
	for i, c := range claims {
		at := p.Index(i)
		if c.Name == "" {
			errs = append(errs, field.Required(at, mustBeSet))
			continue
		}
		id := c.Name + "/" + c.Request
		lost := field.NotFound(at, c.Name)
		lost.Detail = "must be one of the names in pod.spec.resourceClaims"
		errs = extend(errs,
			optional(at.Child("request"), c.Request, label),
			when(seen[id] || seen[c.Name+"/"], field.Duplicate(at, c.Name)),
			when(!pods[c.Name], lost),
		)
		seen[id] = true
	}
	return errs
}

// The container's own resources that the downward API offers.
const (
	offeredResources = `limits.cpu limits.ephemeral-storage limits.memory
		requests.cpu requests.ephemeral-storage requests.memory`
	cpuDivisors  = "1m 1"
	byteDivisors = "1 1k 1M 1G 1T 1P 1E 1Ki 1Mi 1Gi 1Ti 1Pi 1Ei"
)

// resourceFieldRef checks a reference to an amount, and the unit that it is given in.
func resourceFieldRef(p *field.Path, s *v1.ResourceFieldSelector) field.ErrorList {
	huge := strings.HasPrefix(s.Resource, "limits.hugepages-") || strings.HasPrefix(s.Resource, "requests.hugepages-")
	if !huge {
		if errs := oneOf(p.Child("resource"), s.Resource, strings.Fields(offeredResources)...); len(errs) > 0 {
			return errs
		}
	}
	if s.Divisor.IsZero() {
		return nil
	}
	divisors := byteDivisors
	if strings.HasSuffix(s.Resource, ".cpu") {
		divisors = cpuDivisors
	}
	known := slices.Contains(strings.Fields(divisors), s.Divisor.String())
	return when(!known, field.Invalid(p.Child("divisor"), s.Divisor.String(),
		fmt.Sprintf("only divisor's values %s are supported with %s", strings.ReplaceAll(divisors, " ", ", "), s.Resource)))
}
