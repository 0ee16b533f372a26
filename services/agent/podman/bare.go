package podman

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/containers/podman/v4/pkg/bindings/containers"
	"github.com/containers/podman/v4/pkg/domain/entities"
	"github.com/containers/podman/v4/pkg/specgen"
	spec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/space"
)

// A bare sandbox is no pod of Podman's: package space holds its namespaces, and its
// containers are single ones that join them. Its id is its name.

// bare tells whether an id is a bare sandbox's, or rather the name of one of either sort:
// Podman's ids are hexadecimal.
func bare(id string) bool { return strings.Contains(id, "_") }

// bareOf is the id of the bare sandbox whose container has these labels.
func bareOf(labels map[string]string) string {
	var p sandbox.Pod
	if !p.FromLabels(labels) {
		return ""
	}
	return sandbox.Spec{Key: p.Key, UID: p.UID}.Name()
}

// createBare makes a bare sandbox; the id is "" if this one has to be a pod.
func (d *Driver) createBare(ctx context.Context, s sandbox.Spec) (string, error) {
	n, err := d.groundFor(ctx, s.Network)
	if err != nil || n == nil {
		return "", err
	}
	err = d.Spaces.Create(s.Name(), s.Labels(), *n)
	if errors.Is(err, space.ErrFull) {
		d.log.Info("pod gets an infra container", "pod", s.Key, "why", err)
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return s.Name(), nil
}

func (d *Driver) startBare(ctx context.Context, s sandbox.Spec) error {
	n, err := d.groundFor(ctx, s.Network)
	if err != nil {
		return err
	}
	if n == nil {
		return fmt.Errorf("start pod %s: the network %s cannot be joined without an infra container any more", s.Key, s.Network)
	}
	err = d.Spaces.Start(s.Name(), *n)
	if !errors.Is(err, space.ErrNoBridge) {
		return err
	}
	// Somebody removed what holds it.
	if err := d.hold(ctx, s.Network); err != nil {
		return err
	}
	return d.Spaces.Start(s.Name(), *n)
}

// stopBare kills what runs in a bare sandbox and takes its namespaces away.
func (d *Driver) stopBare(ctx context.Context, id string) error {
	cs, err := d.bareContainers(ctx, id)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range cs {
		if state(c.State) != sandbox.Exited {
			errs = append(errs, d.stopNow(ctx, c.ID))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return d.endBare(id, d.Spaces.Stop)
}

// removeBare removes a bare sandbox with its containers. There may be less of it than that.
func (d *Driver) removeBare(ctx context.Context, id string) error {
	cs, err := d.bareContainers(ctx, id)
	if err != nil {
		return err
	}
	if err := d.removeContainers(ctx, cs); err != nil {
		return err
	}
	return d.endBare(id, d.Spaces.Remove)
}

// removeContainers removes containers of which some may share others' processes: those
// can go only once nobody does.
func (d *Driver) removeContainers(ctx context.Context, cs []entities.ListContainer) error {
	for {
		var errs []error
		left := slices.DeleteFunc(slices.Clone(cs), func(c entities.ListContainer) bool {
			err := d.RemoveContainer(ctx, c.ID)
			errs = append(errs, err)
			return err == nil
		})
		if len(left) == 0 || len(left) == len(cs) {
			return errors.Join(errs...)
		}
		cs = left
	}
}

// endBare calls end with what it takes to find the sandbox's link. Its network need not be
// there any more.
func (d *Driver) endBare(id string, end func(string, space.Network) error) error {
	if d.Spaces == nil {
		return nil
	}
	host, err := d.ground.hostOf(d.socket)
	var no unfit
	if err != nil && !errors.As(err, &no) {
		return err
	}
	return end(id, space.Network{Host: host})
}

// bareContainers lists the containers of a bare sandbox.
func (d *Driver) bareContainers(ctx context.Context, id string) ([]entities.ListContainer, error) {
	o := new(containers.ListOptions).WithAll(true).WithFilters(map[string][]string{
		"label": {sandbox.LabelUID}, "name": {"^" + regexp.QuoteMeta(id) + "_"},
	})
	cs, err := containers.List(ctx, o)
	if err != nil {
		return nil, d.fail("list containers of "+id, err)
	}
	return slices.DeleteFunc(cs, func(c entities.ListContainer) bool { return c.Pod != "" || bareOf(c.Labels) != id }), nil
}

// join has a container join its bare sandbox.
func (d *Driver) join(g *specgen.SpecGenerator, c sandbox.ContainerSpec) error {
	if _, ok := d.Spaces.Get(c.SandboxID); !ok {
		return fmt.Errorf("create container %s: sandbox %s: %w", c.Name, c.SandboxID, sandbox.ErrNotFound)
	}
	network, ipc, memory := d.Spaces.Paths(c.SandboxID)
	g.Pod = ""
	g.Hostname = c.Sandbox.Hostname
	g.NetNS = specgen.Namespace{NSMode: specgen.Path, Value: network}
	g.IpcNS = specgen.Namespace{NSMode: specgen.Path, Value: ipc}
	g.UtsNS = specgen.Namespace{NSMode: specgen.Private}
	g.Sysctl = c.Sandbox.Namespaces.Sysctls
	if !slices.ContainsFunc(g.Mounts, func(m spec.Mount) bool { return m.Destination == sharedMemory }) {
		g.Mounts = append(g.Mounts, spec.Mount{Type: "bind", Source: memory, Destination: sharedMemory, Options: []string{"rbind", "rprivate"}})
	}
	// Of what the pod may use as a whole, a container without limits of its own may use all.
	g.ResourceLimits = limits(c.Resources.Within(c.Sandbox.Resources))
	return nil
}

// sharedMemory is what processes share by name.
const sharedMemory = "/dev/shm"

// addBare completes the bare sandboxes of ps with what is known of them, and adds those
// that have no containers.
func (d *Driver) addBare(ps []sandbox.Pod, mine func(sandbox.Key) bool) ([]sandbox.Pod, error) {
	all, err := d.Spaces.All()
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		i := slices.IndexFunc(ps, func(p sandbox.Pod) bool { return p.ID == r.Name })
		if i < 0 {
			p := sandbox.Pod{ID: r.Name}
			if !p.FromLabels(r.Labels) || !mine(p.Key) {
				continue
			}
			i, ps = len(ps), append(ps, p)
		}
		fillBare(&ps[i], r)
	}
	return ps, nil
}

// lookBare looks again at a bare sandbox; one that is gone has no Infra.
func (d *Driver) lookBare(p *sandbox.Pod) {
	p.Infra, p.IP = sandbox.Container{}, ""
	if r, ok := d.Spaces.Get(p.ID); ok {
		fillBare(p, r)
	}
}

func fillBare(p *sandbox.Pod, r space.Record) {
	p.Infra = sandbox.Container{ID: r.Name, State: r.State, StartedAt: r.StartedAt, FinishedAt: r.FinishedAt}
	p.IP = ""
	if r.State == sandbox.Running {
		p.IP = r.Address.String()
	}
}
