package validate

import (
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// checkContainers checks the regular containers. Names that init and ephemeral
// containers share with them are reported there.
func (r *podRules) checkContainers() field.ErrorList {
	p := r.path.Child("containers")
	if len(r.spec.Containers) == 0 {
		return field.ErrorList{field.Required(p, mustBeSet)}
	}
	var errs field.ErrorList
	seen := map[string]bool{}
	for i := range r.spec.Containers {
		c, at := &r.spec.Containers[i], p.Index(i)
		errs = extend(errs,
			r.container(at, c),
			when(c.Name != "" && seen[c.Name], field.Duplicate(at.Child("name"), c.Name)),
			r.restartRules(at, c),
			r.lifecycle(at.Child("lifecycle"), c.Lifecycle),
			r.probes(at, c),
		)
		seen[c.Name] = true
	}
	return append(errs, hostPortConflicts(p, r.spec.Containers)...)
}

// container checks what containers of all sorts have in common.
func (r *podRules) container(p *field.Path, c *v1.Container) field.ErrorList {
	return slices.Concat(
		required(p.Child("name"), c.Name, label),
		r.image(p.Child("image"), c.Image),
		oneOf(p.Child("imagePullPolicy"), c.ImagePullPolicy, v1.PullAlways, v1.PullIfNotPresent, v1.PullNever),
		oneOf(p.Child("terminationMessagePolicy"), c.TerminationMessagePolicy,
			v1.TerminationMessageReadFile, v1.TerminationMessageFallbackToLogsOnError),
		containerPorts(p.Child("ports"), c.Ports),
		r.env(p.Child("env"), c.Env),
		envFrom(p.Child("envFrom"), c.EnvFrom),
		r.mounts(p.Child("volumeMounts"), c),
		r.devices(p.Child("volumeDevices"), c),
		containerResources(p.Child("resources"), &c.Resources),
		r.containerClaims(p.Child("resources", "claims"), c.Resources.Claims),
		r.resizePolicy(p.Child("resizePolicy"), c.ResizePolicy),
		r.securityContext(p.Child("securityContext"), c.SecurityContext),
	)
}

func (r *podRules) image(p *field.Path, image string) field.ErrorList {
	if image == "" {
		return field.ErrorList{field.Required(p, mustBeSet)}
	}
	// Templates may hold a blank that something else replaces.
	padded := r.isPod() && strings.TrimSpace(image) != image
	return when(padded, field.Invalid(p, image, "must not have leading or trailing whitespace"))
}

func containerPorts(p *field.Path, ports []v1.ContainerPort) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, port := range ports {
		at := p.Index(i)
		if port.Name != "" {
			errs = append(errs, faults(at.Child("name"), port.Name, validation.IsValidPortName(port.Name))...)
			errs = append(errs, when(seen[port.Name], field.Duplicate(at.Child("name"), port.Name))...)
			seen[port.Name] = true
		}
		if port.ContainerPort == 0 {
			errs = append(errs, field.Required(at.Child("containerPort"), mustBeSet))
		} else {
			errs = append(errs, faults(at.Child("containerPort"), port.ContainerPort, validation.IsValidPortNum(int(port.ContainerPort)))...)
		}
		if port.HostPort != 0 {
			errs = append(errs, faults(at.Child("hostPort"), port.HostPort, validation.IsValidPortNum(int(port.HostPort)))...)
		}
		errs = append(errs, oneOf(at.Child("protocol"), port.Protocol, v1.ProtocolSCTP, v1.ProtocolTCP, v1.ProtocolUDP)...)
		if port.HostIP != "" {
			errs = append(errs, validation.IsValidIP(at.Child("hostIP"), port.HostIP)...)
		}
	}
	return errs
}

// hostPortConflicts finds ports of the host that two containers want.
func hostPortConflicts(p *field.Path, containers []v1.Container) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, c := range containers {
		for j, port := range c.Ports {
			if port.HostPort == 0 {
				continue
			}
			id := fmt.Sprintf("%s/%s/%d", port.Protocol, port.HostIP, port.HostPort)
			errs = append(errs, when(seen[id], field.Duplicate(p.Index(i).Child("ports").Index(j).Child("hostPort"), id))...)
			seen[id] = true
		}
	}
	return errs
}

func (r *podRules) resizePolicy(p *field.Path, policies []v1.ContainerResizePolicy) field.ErrorList {
	var errs field.ErrorList
	seen := map[v1.ResourceName]bool{}
	for i, policy := range policies {
		at := p.Index(i)
		stays := r.spec.RestartPolicy == v1.RestartPolicyNever && policy.RestartPolicy == v1.RestartContainer
		errs = extend(errs,
			when(seen[policy.ResourceName], field.Duplicate(at, policy.ResourceName)),
			oneOf(at.Child("resourceName"), policy.ResourceName, v1.ResourceCPU, v1.ResourceMemory),
			oneOf(at.Child("restartPolicy"), policy.RestartPolicy, v1.NotRequired, v1.RestartContainer),
			when(stays, field.Invalid(at.Child("restartPolicy"), policy.RestartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'")),
		)
		seen[policy.ResourceName] = true
	}
	return errs
}

// maxRestartRules bounds the rules of one container, maxExitCodes the codes of a rule (KEP-5307).
const (
	maxRestartRules = 20
	maxExitCodes    = 255
)

// restartRules checks a container's own restart policy.
func (r *podRules) restartRules(p *field.Path, c *v1.Container) field.ErrorList {
	rules := p.Child("restartPolicyRules")
	errs := slices.Concat(
		maybeOneOf(p.Child("restartPolicy"), c.RestartPolicy,
			v1.ContainerRestartPolicyAlways, v1.ContainerRestartPolicyNever, v1.ContainerRestartPolicyOnFailure),
		when(len(c.RestartPolicyRules) > 0 && c.RestartPolicy == nil,
			field.Required(p.Child("restartPolicy"), "must specify restartPolicy when restart rules are used")),
		when(len(c.RestartPolicyRules) > maxRestartRules, field.TooMany(rules, len(c.RestartPolicyRules), maxRestartRules)),
	)
	for i, rule := range c.RestartPolicyRules {
		at := rules.Index(i)
		errs = append(errs, oneOf(at.Child("action"), rule.Action,
			v1.ContainerRestartRuleActionRestart, v1.ContainerRestartRuleActionRestartAllContainers)...)
		codes := at.Child("exitCodes")
		if rule.ExitCodes == nil {
			errs = append(errs, field.Required(codes, "must be specified"))
			continue
		}
		n := len(rule.ExitCodes.Values)
		errs = extend(errs,
			oneOf(codes.Child("operator"), rule.ExitCodes.Operator,
				v1.ContainerRestartRuleOnExitCodesOpIn, v1.ContainerRestartRuleOnExitCodesOpNotIn),
			when(n == 0, field.Invalid(codes.Child("values"), rule.ExitCodes.Values, "must specify at least one value")),
			when(n > maxExitCodes, field.TooMany(codes.Child("values"), n, maxExitCodes)),
		)
	}
	return errs
}
