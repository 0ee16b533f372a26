package validate

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// checkHostNamespaces checks which of the host's namespaces the pod shares.
func (r *podRules) checkHostNamespaces() field.ErrorList {
	const ownUsers = "when `hostUsers` is false"
	s, p := r.spec, r.path
	shared := s.ShareProcessNamespace != nil && *s.ShareProcessNamespace
	errs := when(shared && s.HostPID,
		field.Invalid(p.Child("shareProcessNamespace"), true, "ShareProcessNamespace and HostPID cannot both be enabled"))
	if r.hostUsers() {
		return errs
	}
	return extend(errs,
		when(s.HostNetwork, field.Forbidden(p.Child("hostNetwork"), ownUsers)),
		when(s.HostPID, field.Forbidden(p.Child("hostPID"), ownUsers)),
		when(s.HostIPC, field.Forbidden(p.Child("hostIPC"), ownUsers)),
	)
}

// checkOS checks that the pod sets nothing that only the other operating system has.
func (r *podRules) checkOS() field.ErrorList {
	if r.spec.OS == nil {
		var errs field.ErrorList
		for _, f := range r.windowsFields() {
			errs = append(errs, when(f.set, field.Forbidden(f.path, "there are no Windows nodes"))...)
		}
		return errs
	}
	errs := oneOf(r.path.Child("os"), r.spec.OS.Name, v1.Linux, v1.Windows)
	foreign := r.linuxFields()
	detail := "cannot be set for a windows pod"
	switch r.spec.OS.Name {
	case v1.Linux:
		foreign, detail = r.windowsFields(), "windows options cannot be set for a linux pod"
	case v1.Windows:
		for _, f := range r.windowsFields() {
			errs = append(errs, when(f.set, field.Forbidden(f.path, "there are no Windows nodes"))...)
		}
	default:
		return errs
	}
	for _, f := range foreign {
		errs = append(errs, when(f.set, field.Forbidden(f.path, detail))...)
	}
	return errs
}

// setting is a field and whether it is set.
type setting struct {
	path *field.Path
	set  bool
}

func (r *podRules) windowsFields() []setting {
	var out []setting
	if s := r.spec.SecurityContext; s != nil {
		out = append(out, setting{r.path.Child("securityContext", "windowsOptions"), s.WindowsOptions != nil})
	}
	r.eachContainer(func(p *field.Path, c *v1.Container) {
		if s := c.SecurityContext; s != nil {
			out = append(out, setting{p.Child("securityContext", "windowsOptions"), s.WindowsOptions != nil})
		}
	})
	return out
}

func (r *podRules) linuxFields() []setting {
	s := r.spec
	out := []setting{
		{r.path.Child("hostUsers"), s.HostUsers != nil},
		{r.path.Child("hostPID"), s.HostPID},
		{r.path.Child("hostIPC"), s.HostIPC},
		{r.path.Child("shareProcessNamespace"), s.ShareProcessNamespace != nil},
	}
	if c := s.SecurityContext; c != nil {
		p := r.path.Child("securityContext")
		out = append(out,
			setting{p.Child("appArmorProfile"), c.AppArmorProfile != nil},
			setting{p.Child("seLinuxOptions"), c.SELinuxOptions != nil},
			setting{p.Child("seLinuxChangePolicy"), c.SELinuxChangePolicy != nil},
			setting{p.Child("seccompProfile"), c.SeccompProfile != nil},
			setting{p.Child("fsGroup"), c.FSGroup != nil},
			setting{p.Child("fsGroupChangePolicy"), c.FSGroupChangePolicy != nil},
			setting{p.Child("sysctls"), len(c.Sysctls) > 0},
			setting{p.Child("runAsUser"), c.RunAsUser != nil},
			setting{p.Child("runAsGroup"), c.RunAsGroup != nil},
			setting{p.Child("supplementalGroups"), c.SupplementalGroups != nil},
			setting{p.Child("supplementalGroupsPolicy"), c.SupplementalGroupsPolicy != nil},
		)
	}
	r.eachContainer(func(p *field.Path, c *v1.Container) {
		if s := c.SecurityContext; s != nil {
			out = append(out, linuxSecurity(p.Child("securityContext"), s)...)
		}
	})
	return out
}

func linuxSecurity(p *field.Path, s *v1.SecurityContext) []setting {
	return []setting{
		{p.Child("appArmorProfile"), s.AppArmorProfile != nil},
		{p.Child("seLinuxOptions"), s.SELinuxOptions != nil},
		{p.Child("seccompProfile"), s.SeccompProfile != nil},
		{p.Child("capabilities"), s.Capabilities != nil},
		{p.Child("readOnlyRootFilesystem"), s.ReadOnlyRootFilesystem != nil},
		{p.Child("privileged"), s.Privileged != nil},
		{p.Child("allowPrivilegeEscalation"), s.AllowPrivilegeEscalation != nil},
		{p.Child("procMount"), s.ProcMount != nil},
		{p.Child("runAsUser"), s.RunAsUser != nil},
		{p.Child("runAsGroup"), s.RunAsGroup != nil},
	}
}

// eachContainer visits every container of every sort with its path.
func (r *podRules) eachContainer(visit func(*field.Path, *v1.Container)) {
	for i := range r.spec.InitContainers {
		visit(r.path.Child("initContainers").Index(i), &r.spec.InitContainers[i])
	}
	for i := range r.spec.Containers {
		visit(r.path.Child("containers").Index(i), &r.spec.Containers[i])
	}
	for i := range r.spec.EphemeralContainers {
		c := (*v1.Container)(&r.spec.EphemeralContainers[i].EphemeralContainerCommon)
		visit(r.path.Child("ephemeralContainers").Index(i), c)
	}
}
