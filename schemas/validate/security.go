package validate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// longestProfile is the longest path that Linux takes, less its end.
const longestProfile = 4095

// securityContext checks a container's.
func (r *podRules) securityContext(p *field.Path, s *v1.SecurityContext) field.ErrorList {
	if s == nil {
		return nil
	}
	errs := slices.Concat(
		userID(p.Child("runAsUser"), s.RunAsUser),
		groupID(p.Child("runAsGroup"), s.RunAsGroup),
		maybeOneOf(p.Child("procMount"), s.ProcMount, v1.DefaultProcMount, v1.UnmaskedProcMount),
		seccomp(p.Child("seccompProfile"), s.SeccompProfile),
		appArmor(p.Child("appArmorProfile"), s.AppArmorProfile),
	)
	unmasked := s.ProcMount != nil && *s.ProcMount == v1.UnmaskedProcMount
	errs = append(errs, when(unmasked && r.hostUsers(),
		field.Invalid(p.Child("procMount"), v1.UnmaskedProcMount, "`hostUsers` must be false to use `Unmasked`"))...)
	if s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation {
		return errs
	}
	// A container that may do all already cannot be kept from gaining more.
	at := p.Child("allowPrivilegeEscalation")
	all := s.Privileged != nil && *s.Privileged
	admin := s.Capabilities != nil && slices.Contains(s.Capabilities.Add, "CAP_SYS_ADMIN")
	return extend(errs,
		when(all, field.Invalid(at, false, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")),
		when(admin, field.Invalid(at, false, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN")),
	)
}

// hostUsers tells whether the pod's users are the host's: so unless it says otherwise.
func (r *podRules) hostUsers() bool { return r.spec.HostUsers == nil || *r.spec.HostUsers }

// checkSecurity checks the pod's security context.
func (r *podRules) checkSecurity() field.ErrorList {
	s, p := r.spec.SecurityContext, r.path.Child("securityContext")
	if s == nil {
		return nil
	}
	errs := slices.Concat(
		groupID(p.Child("fsGroup"), s.FSGroup),
		userID(p.Child("runAsUser"), s.RunAsUser),
		groupID(p.Child("runAsGroup"), s.RunAsGroup),
		maybeOneOf(p.Child("fsGroupChangePolicy"), s.FSGroupChangePolicy, v1.FSGroupChangeAlways, v1.FSGroupChangeOnRootMismatch),
		maybeOneOf(p.Child("supplementalGroupsPolicy"), s.SupplementalGroupsPolicy,
			v1.SupplementalGroupsPolicyMerge, v1.SupplementalGroupsPolicyStrict),
		maybeOneOf(p.Child("seLinuxChangePolicy"), s.SELinuxChangePolicy,
			v1.SELinuxChangePolicyMountOption, v1.SELinuxChangePolicyRecursive),
		seccomp(p.Child("seccompProfile"), s.SeccompProfile),
		appArmor(p.Child("appArmorProfile"), s.AppArmorProfile),
		r.sysctls(p.Child("sysctls"), s.Sysctls),
	)
	for i := range s.SupplementalGroups {
		errs = append(errs, groupID(p.Child("supplementalGroups").Index(i), &s.SupplementalGroups[i])...)
	}
	return errs
}

func seccomp(p *field.Path, s *v1.SeccompProfile) field.ErrorList {
	if s == nil {
		return nil
	}
	errs := oneOf(p.Child("type"), s.Type, v1.SeccompProfileTypeLocalhost, v1.SeccompProfileTypeRuntimeDefault, v1.SeccompProfileTypeUnconfined)
	at := p.Child("localhostProfile")
	switch {
	case s.Type == v1.SeccompProfileTypeLocalhost && s.LocalhostProfile == nil:
		errs = append(errs, field.Required(at, "must be set when seccomp type is Localhost"))
	case s.Type == v1.SeccompProfileTypeLocalhost:
		errs = append(errs, descending(at, *s.LocalhostProfile)...)
	case s.LocalhostProfile != nil:
		errs = append(errs, field.Invalid(at, *s.LocalhostProfile, "can only be set when seccomp type is Localhost"))
	}
	return errs
}

func appArmor(p *field.Path, s *v1.AppArmorProfile) field.ErrorList {
	if s == nil {
		return nil
	}
	errs := oneOf(p.Child("type"), s.Type, v1.AppArmorProfileTypeLocalhost, v1.AppArmorProfileTypeRuntimeDefault, v1.AppArmorProfileTypeUnconfined)
	at := p.Child("localhostProfile")
	if s.Type != v1.AppArmorProfileTypeLocalhost {
		if s.LocalhostProfile != nil {
			errs = append(errs, field.Invalid(at, *s.LocalhostProfile, "can only be set when AppArmor type is Localhost"))
		}
		return errs
	}
	if s.LocalhostProfile == nil || strings.TrimSpace(*s.LocalhostProfile) == "" {
		return append(errs, field.Required(at, "must be set when AppArmor type is Localhost"))
	}
	name := *s.LocalhostProfile
	return extend(errs,
		when(strings.TrimSpace(name) != name, field.Invalid(at, name, "must not be padded with whitespace")),
		when(len(name) > longestProfile, field.TooLong(at, "", longestProfile)),
	)
}

// longestSysctl is the most characters of a kernel parameter's name.
const longestSysctl = 253

var sysctlName = regexp.MustCompile(`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`)

// sysctls checks kernel parameters: each once, and none of a namespace that is the host's.
func (r *podRules) sysctls(p *field.Path, list []v1.Sysctl) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, s := range list {
		at := p.Index(i).Child("name")
		name := strings.ReplaceAll(s.Name, "/", ".")
		bad := len(s.Name) > longestSysctl || !sysctlName.MatchString(s.Name)
		ipc := strings.HasPrefix(name, "kernel.shm") || strings.HasPrefix(name, "kernel.msg") ||
			name == "kernel.sem" || strings.HasPrefix(name, "fs.mqueue.")
		switch {
		case s.Name == "":
			errs = append(errs, field.Required(at, mustBeSet))
		case bad:
			errs = append(errs, field.Invalid(at, s.Name, fmt.Sprintf("must have at most %d characters and match regex %s", longestSysctl, sysctlName)))
		case seen[s.Name]:
			errs = append(errs, field.Duplicate(at, s.Name))
		case r.spec.HostNetwork && strings.HasPrefix(name, "net."):
			errs = append(errs, field.Invalid(at, s.Name, "may not be specified when 'hostNetwork' is true"))
		case r.spec.HostIPC && ipc:
			errs = append(errs, field.Invalid(at, s.Name, "may not be specified when 'hostIPC' is true"))
		}
		seen[s.Name] = true
	}
	return errs
}
