package podman

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/containers/podman/v4/pkg/bindings/system"
	"github.com/containers/podman/v4/pkg/specgen"
	"github.com/containers/storage/pkg/idtools"
	storage "github.com/containers/storage/types"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// secure gives a container what its security asks for.
func (d *Driver) secure(ctx context.Context, g *specgen.SpecGenerator, c sandbox.ContainerSpec) error {
	s := c.Security
	g.User, g.Groups = s.User, s.Groups
	g.Privileged = s.Privileged
	g.NoNewPrivileges = s.NoNewPrivileges
	g.ReadOnlyFilesystem = s.ReadOnlyRoot
	g.SeccompProfilePath = s.Seccomp
	g.ApparmorProfile = s.AppArmor
	g.SelinuxOpts = s.SELinux
	if s.UnmaskProc {
		g.Unmask = []string{"ALL"}
	}
	n := c.Sandbox.Namespaces
	if n.HostPID && c.PIDOf == "" {
		g.PidNS = specgen.Namespace{NSMode: specgen.Host}
	}
	if n.HostIPC {
		g.IpcNS = specgen.Namespace{NSMode: specgen.Host}
	}
	if s.Privileged || len(s.AddCapabilities)+len(s.DropCapabilities) == 0 {
		return nil
	}
	facts, err := d.learn(ctx)
	if err != nil {
		return err
	}
	g.CapAdd, g.CapDrop = capabilities(facts.usual, s.AddCapabilities, s.DropCapabilities)
	return nil
}

// everything stands for all capabilities, in Podman and in Kubernetes.
const everything = "ALL"

// capabilities turns Kubernetes' order (ALL first, then what is added, then what is
// dropped) into a difference from the usual set. What is in that set already is not added
// again: Podman makes what is added ambient for users other than root, which no
// Kubernetes runtime does.
func capabilities(usual, add, drop []string) (added, dropped []string) {
	named := func(list []string) []string {
		var out []string
		for _, c := range list {
			if c = strings.TrimPrefix(strings.ToUpper(c), "CAP_"); c != everything {
				out = append(out, "CAP_"+c)
			}
		}
		return out
	}
	isAll := func(c string) bool { return strings.TrimPrefix(strings.ToUpper(c), "CAP_") == everything }
	add, drop, allAdded, allDropped := named(add), named(drop), slices.ContainsFunc(add, isAll), slices.ContainsFunc(drop, isAll)
	if allAdded && !allDropped {
		return []string{everything}, drop
	}
	want := map[string]bool{}
	if !allDropped {
		for _, c := range usual {
			want[c] = true
		}
	}
	for _, c := range add {
		want[c] = true
	}
	for _, c := range drop {
		delete(want, c)
	}
	for _, c := range usual {
		if !want[c] {
			dropped = append(dropped, c)
		}
		delete(want, c)
	}
	if len(dropped) == len(usual) && len(want) == 0 {
		return nil, []string{everything}
	}
	return slices.Sorted(maps.Keys(want)), dropped
}

// facts are what Podman tells of itself that does not change while it runs.
type facts struct {
	usual   []string // capabilities of containers that ask for nothing
	runtime string   // name of the OCI runtime
}

// learn asks for the facts once.
func (d *Driver) learn(ctx context.Context) (*facts, error) {
	d.mu.Lock()
	f := d.facts
	d.mu.Unlock()
	if f != nil {
		return f, nil
	}
	i, err := system.Info(ctx, nil)
	if err != nil {
		return nil, d.fail("ask podman for its info", err)
	}
	f = &facts{}
	if i.Host.OCIRuntime != nil {
		f.runtime = i.Host.OCIRuntime.Name
	}
	for _, c := range strings.Split(i.Host.Security.DefaultCapabilities, ",") {
		if c = strings.ToUpper(strings.TrimSpace(c)); c != "" {
			f.usual = append(f.usual, "CAP_"+strings.TrimPrefix(c, "CAP_"))
		}
	}
	slices.Sort(f.usual)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.facts = f
	return f, nil
}

// Handler is the OCI runtime that containers here run on: Podman's API has no way to
// choose another for one of them.
func (d *Driver) Handler(ctx context.Context) (string, error) {
	ctx, cancel, err := d.call(ctx, quick)
	if err != nil {
		return "", err
	}
	defer cancel()
	f, err := d.learn(ctx)
	if err != nil {
		return "", err
	}
	return f.runtime, nil
}

// share gives a pod the namespaces that it asks for.
func share(g *specgen.PodSpecGenerator, n sandbox.Namespaces) {
	if n.SharedPID {
		g.SharedNamespaces = append(g.SharedNamespaces, "pid")
	}
	if len(n.Sysctls) > 0 {
		g.Sysctl = n.Sysctls
	}
	if n.Users == 0 {
		return
	}
	m := []idtools.IDMap{{ContainerID: 0, HostID: int(n.Users), Size: sandbox.UserRange}}
	g.Userns = specgen.Namespace{NSMode: specgen.Private}
	g.IDMappings = &storage.IDMappingOptions{UIDMap: m, GIDMap: m}
}
