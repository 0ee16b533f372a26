package pod

import (
	"context"
	"fmt"
	"strings"

	v1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// Classes reads RuntimeClasses; nil without an error if there is none of that name.
type Classes interface {
	RuntimeClass(ctx context.Context, name string) (*nodev1.RuntimeClass, error)
}

// settle completes what the sandbox is to be: its names, and what it shares. What a
// sandbox that is there was made with stays as it is.
func (l *launching) settle(ctx context.Context, mine *sandbox.Pod) error {
	host, domain := Names(l.pod, l.Settings.ClusterDomain)
	if !l.spec.HostNetwork {
		name, err := kernelName(l.pod, host, domain)
		if err != nil {
			return err
		}
		l.spec.Hostname = name
	}
	n := namespaces(l.pod)
	switch {
	case mine != nil:
		n.Users = mine.Users
	default:
		err := l.checkClass(ctx)
		if err != nil {
			return err
		}
		if l.pod.Spec.HostUsers != nil && !*l.pod.Spec.HostUsers {
			if n.Users, err = l.users.take(l.pod.UID); err != nil {
				return err
			}
		}
	}
	if n.Users != 0 {
		delete(n.Sysctls, pingGroups) // its ids are not the host's
	}
	l.spec.Namespaces = n
	return nil
}

// What containers may do without being root, in a network of their own: the defaults
// of containerd, which has run most of Kubernetes since its version 2.
const (
	lowPorts   = "net.ipv4.ip_unprivileged_port_start"
	pingGroups = "net.ipv4.ping_group_range"
)

func namespaces(p *v1.Pod) sandbox.Namespaces {
	s := &p.Spec
	n := sandbox.Namespaces{HostPID: s.HostPID, HostIPC: s.HostIPC, SharedPID: is(s.ShareProcessNamespace), Sysctls: map[string]string{}}
	if !s.HostNetwork {
		n.Sysctls[lowPorts], n.Sysctls[pingGroups] = "0", "0 2147483647"
	}
	if s.SecurityContext != nil {
		for _, one := range s.SecurityContext.Sysctls {
			n.Sysctls[dotted(one.Name)] = one.Value
		}
	}
	return n
}

// dotted writes a kernel parameter's name with dots, whichever way it was written: in
// net/ipv4/conf/eth0.1/mtu the dot is part of a name, and becomes a slash.
func dotted(name string) string {
	if i := strings.IndexAny(name, "./"); i < 0 || name[i] == '.' {
		return name
	}
	return strings.NewReplacer("/", ".", ".", "/").Replace(name)
}

// checkClass checks that this host has the runtime that the pod's class names.
func (l *launching) checkClass(ctx context.Context) error {
	name := l.pod.Spec.RuntimeClassName
	if name == nil || *name == "" {
		return nil
	}
	class, err := l.Classes.RuntimeClass(ctx, *name)
	if err != nil {
		return fmt.Errorf("read RuntimeClass %q: %w", *name, err)
	}
	if class == nil {
		return fmt.Errorf("RuntimeClass %q not found", *name)
	}
	have, err := l.Runtime.Handler(ctx)
	if err != nil {
		return err
	}
	if class.Handler != have {
		return fmt.Errorf("no runtime for %q is configured: this node's Podman runs containers with %s", class.Handler, have)
	}
	return nil
}
