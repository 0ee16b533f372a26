package pod

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/account"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Settings are what the host's owner decides about pods.
type Settings struct {
	// SeccompDefault gives containers that name no profile the runtime's own, as the
	// kubelet's setting of that name does; without it they are unconfined.
	SeccompDefault bool
	// SeccompRoot is the directory of Localhost profiles.
	SeccompRoot string
	// UnsafeSysctls may be set beside the safe ones; "net.core.*" is a whole group.
	UnsafeSysctls []string
	// ClusterDomain is what the names of pods with a subdomain end in.
	ClusterDomain string
	// AppArmor is true if the host has it.
	AppArmor bool
}

// secure makes a container's security settings of its pod's and its own.
func (l *launching) secure(ctx context.Context, c *v1.Container) (sandbox.Security, error) {
	e := effective(l.pod, c)
	if err := l.verifyNonRoot(ctx, c, e); err != nil {
		return sandbox.Security{}, err
	}
	s, err := confined(e, l.Settings)
	if err != nil {
		return s, configError{err}
	}
	s.User, s.Groups, err = l.identity(ctx, c, e)
	return s, err
}

// effective is c's security context with the pod's where c says nothing.
func effective(p *v1.Pod, c *v1.Container) v1.SecurityContext {
	var e v1.SecurityContext
	if c.SecurityContext != nil {
		e = *c.SecurityContext
	}
	if s := p.Spec.SecurityContext; s != nil {
		e.RunAsUser = cmp.Or(e.RunAsUser, s.RunAsUser)
		e.RunAsGroup = cmp.Or(e.RunAsGroup, s.RunAsGroup)
		e.RunAsNonRoot = cmp.Or(e.RunAsNonRoot, s.RunAsNonRoot)
		e.SELinuxOptions = cmp.Or(e.SELinuxOptions, s.SELinuxOptions)
		e.SeccompProfile = cmp.Or(e.SeccompProfile, s.SeccompProfile)
		e.AppArmorProfile = cmp.Or(e.AppArmorProfile, s.AppArmorProfile)
	}
	return e
}

// confined is what e allows and forbids, without users.
func confined(e v1.SecurityContext, set Settings) (sandbox.Security, error) {
	s := sandbox.Security{
		Privileged:      is(e.Privileged),
		NoNewPrivileges: e.AllowPrivilegeEscalation != nil && !*e.AllowPrivilegeEscalation,
		ReadOnlyRoot:    is(e.ReadOnlyRootFilesystem),
		UnmaskProc:      e.ProcMount != nil && *e.ProcMount == v1.UnmaskedProcMount,
		SELinux:         label(e.SELinuxOptions),
	}
	if k := e.Capabilities; k != nil {
		for _, one := range k.Add {
			s.AddCapabilities = append(s.AddCapabilities, string(one))
		}
		for _, one := range k.Drop {
			s.DropCapabilities = append(s.DropCapabilities, string(one))
		}
	}
	if a := e.AppArmorProfile; a != nil && set.AppArmor && !s.Privileged {
		switch a.Type {
		case v1.AppArmorProfileTypeUnconfined:
			s.AppArmor = "unconfined"
		case v1.AppArmorProfileTypeLocalhost:
			s.AppArmor = *a.LocalhostProfile
		}
	}
	var err error
	s.Seccomp, err = seccomp(e, set)
	return s, err
}

func is(b *bool) bool { return b != nil && *b }

// seccomp is the path of e's profile, "unconfined", or "" for the runtime's own.
func seccomp(e v1.SecurityContext, set Settings) (string, error) {
	const unconfined = "unconfined"
	p := e.SeccompProfile
	switch {
	case is(e.Privileged):
		return unconfined, nil
	case p == nil && set.SeccompDefault:
		return "", nil
	case p == nil || p.Type == v1.SeccompProfileTypeUnconfined:
		return unconfined, nil
	case p.Type == v1.SeccompProfileTypeLocalhost:
		if p.LocalhostProfile == nil || !filepath.IsLocal(*p.LocalhostProfile) {
			return "", fmt.Errorf("localhostProfile must be set to a path below %s if seccompProfile type is Localhost", set.SeccompRoot)
		}
		return filepath.Join(set.SeccompRoot, *p.LocalhostProfile), nil
	}
	return "", nil
}

// label are the parts of an SELinux label; a host without SELinux takes no notice.
func label(o *v1.SELinuxOptions) []string {
	if o == nil {
		return nil
	}
	var out []string
	for _, part := range []struct{ name, value string }{{"user", o.User}, {"role", o.Role}, {"type", o.Type}, {"level", o.Level}} {
		if part.value != "" {
			out = append(out, part.name+":"+part.value)
		}
	}
	return out
}

// verifyNonRoot refuses a container that must not run as root and would, or may.
func (l *launching) verifyNonRoot(ctx context.Context, c *v1.Container, e v1.SecurityContext) error {
	if !is(e.RunAsNonRoot) {
		return nil
	}
	who := fmt.Sprintf(`(pod: "%s_%s(%s)", container: %s)`, l.pod.Name, l.pod.Namespace, l.pod.UID, c.Name)
	if e.RunAsUser != nil {
		if *e.RunAsUser == 0 {
			return configError{fmt.Errorf("container's runAsUser breaks non-root policy %s", who)}
		}
		return nil
	}
	img, err := l.Runtime.ImageUser(ctx, c.Image)
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(img.User, ":")
	uid, err := strconv.ParseInt(name, 10, 64)
	switch {
	case name != "" && err != nil:
		return configError{fmt.Errorf("container has runAsNonRoot and image has non-numeric user (%s), cannot verify user is non-root %s", name, who)}
	case name == "" || uid == 0:
		return configError{fmt.Errorf("container has runAsNonRoot and image will run as root %s", who)}
	}
	return nil
}

// identity is the user to run as and its further groups. Podman works out most itself;
// where its rules are others than Kubernetes' the image's files are read.
func (l *launching) identity(ctx context.Context, c *v1.Container, e v1.SecurityContext) (user string, groups []string, err error) {
	uid, gid := e.RunAsUser, e.RunAsGroup
	strict := false
	var extra []int64
	if s := l.pod.Spec.SecurityContext; s != nil {
		strict = s.SupplementalGroupsPolicy != nil && *s.SupplementalGroupsPolicy == v1.SupplementalGroupsPolicyStrict
		extra = append(extra, s.SupplementalGroups...)
		if s.FSGroup != nil {
			extra = append(extra, *s.FSGroup)
		}
	}
	switch {
	case !strict && gid == nil:
		if uid != nil {
			user = decimal(*uid)
		}
		return user, decimals(extra), nil
	case strict && uid != nil && gid != nil:
		return decimal(*uid) + ":" + decimal(*gid), decimals(extra), nil
	}
	id, err := l.resolve(ctx, c.Image, uid)
	if err != nil {
		return "", nil, err
	}
	if gid != nil {
		id.GID = *gid
	}
	if !strict {
		extra = append(extra, id.Groups...)
	}
	return decimal(id.UID) + ":" + decimal(id.GID), decimals(extra), nil
}

// resolve finds the ids of uid, or of the image's user, in the image.
func (l *launching) resolve(ctx context.Context, image string, uid *int64) (account.Identity, error) {
	img, err := l.Runtime.ImageUser(ctx, image)
	if err != nil {
		return account.Identity{}, err
	}
	a, err := l.Runtime.Accounts(ctx, img.ID)
	if err != nil {
		return account.Identity{}, err
	}
	if uid != nil {
		img.User = decimal(*uid)
	}
	return account.Resolve(img.User, a.Passwd, a.Group)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func decimals(ns []int64) []string {
	var out []string
	for _, n := range ns {
		out = append(out, decimal(n))
	}
	return out
}
