package validate

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// checkInitContainers checks the containers that run before the regular ones; those
// that always restart (sidecars) run on, and may be probed like regular ones.
func (r *podRules) checkInitContainers() field.ErrorList {
	const sidecarsOnly = "may not be set for init containers without restartPolicy=Always"
	p := r.path.Child("initContainers")
	seen := names(r.spec.Containers)
	var errs field.ErrorList
	for i := range r.spec.InitContainers {
		c, at := &r.spec.InitContainers[i], p.Index(i)
		errs = extend(errs,
			r.container(at, c),
			when(c.Name != "" && seen[c.Name], field.Duplicate(at.Child("name"), c.Name)),
			r.restartRules(at, c),
		)
		seen[c.Name] = true
		if sidecar(c) {
			errs = extend(errs, r.lifecycle(at.Child("lifecycle"), c.Lifecycle), r.probes(at, c))
		} else {
			errs = extend(errs,
				when(c.Lifecycle != nil, field.Forbidden(at.Child("lifecycle"), sidecarsOnly)),
				when(c.LivenessProbe != nil, field.Forbidden(at.Child("livenessProbe"), sidecarsOnly)),
				when(c.ReadinessProbe != nil, field.Forbidden(at.Child("readinessProbe"), sidecarsOnly)),
				when(c.StartupProbe != nil, field.Forbidden(at.Child("startupProbe"), sidecarsOnly)),
				when(len(c.ResizePolicy) > 0, field.Invalid(at.Child("resizePolicy"), c.ResizePolicy, "must not be set for init containers")),
			)
		}
		// Init containers run one after the other, so only their own ports can collide.
		for _, e := range hostPortConflicts(p, []v1.Container{*c}) {
			e.Field = at.Child("ports").String()
			errs = append(errs, e)
		}
	}
	return errs
}

func sidecar(c *v1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == v1.ContainerRestartPolicyAlways
}

func names(containers []v1.Container) map[string]bool {
	out := map[string]bool{}
	for _, c := range containers {
		out[c.Name] = true
	}
	return out
}

// checkEphemeralContainers checks the containers that were added to look into a
// running pod. The pod must not come to depend on them.
func (r *podRules) checkEphemeralContainers() field.ErrorList {
	p := r.path.Child("ephemeralContainers")
	targets := names(append(slices.Clone(r.spec.Containers), r.spec.InitContainers...))
	seen := map[string]bool{}
	var errs field.ErrorList
	for i := range r.spec.EphemeralContainers {
		ec, at := &r.spec.EphemeralContainers[i], p.Index(i)
		c := (*v1.Container)(&ec.EphemeralContainerCommon)
		twice := c.Name != "" && (seen[c.Name] || targets[c.Name])
		lost := ec.TargetContainerName != "" && !targets[ec.TargetContainerName]
		errs = extend(errs,
			r.container(at, c),
			when(twice, field.Duplicate(at.Child("name"), c.Name)),
			when(lost, field.NotFound(at.Child("targetContainerName"), ec.TargetContainerName)),
			onlyForWork(at, c),
		)
		seen[c.Name] = true
	}
	return errs
}

// onlyForWork forbids an ephemeral container what belongs to the pod's work.
func onlyForWork(p *field.Path, c *v1.Container) field.ErrorList {
	const detail = "cannot be set for an Ephemeral Container"
	r := &c.Resources
	var errs field.ErrorList
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"ports", len(c.Ports) > 0},
		{"resources", len(r.Limits)+len(r.Requests)+len(r.Claims) > 0},
		{"resizePolicy", len(c.ResizePolicy) > 0},
		{"restartPolicy", c.RestartPolicy != nil},
		{"restartPolicyRules", len(c.RestartPolicyRules) > 0},
		{"livenessProbe", c.LivenessProbe != nil},
		{"readinessProbe", c.ReadinessProbe != nil},
		{"startupProbe", c.StartupProbe != nil},
		{"lifecycle", c.Lifecycle != nil},
	} {
		errs = append(errs, when(f.set, field.Forbidden(p.Child(f.name), detail))...)
	}
	for i, m := range c.VolumeMounts {
		at := p.Child("volumeMounts").Index(i)
		errs = append(errs, when(m.SubPath != "", field.Forbidden(at.Child("subPath"), detail))...)
		errs = append(errs, when(m.SubPathExpr != "", field.Forbidden(at.Child("subPathExpr"), detail))...)
	}
	return errs
}
