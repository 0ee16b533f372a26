package podman

import (
	"context"
	"errors"
	"slices"

	"github.com/containers/podman/v4/libpod/define"
	"github.com/containers/podman/v4/pkg/bindings/containers"
	"golang.org/x/sync/errgroup"

	"github.com/skerry/skerry/services/agent/cgroup"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// looksAtOnce bounds the inspections of one sandbox's containers.
const looksAtOnce = 4

// Look looks again at a sandbox that is known, and at those of its containers that
// had not ended: its cost does not grow with the number of pods on the host, as a
// list's does. What ran and whose process goes on, as the kernel says, is not asked
// Podman for. Containers that it is not told of it does not see. It returns
// sandbox.ErrNotFound once nothing is left.
func (d *Driver) Look(ctx context.Context, known sandbox.Pod) (sandbox.Pod, error) {
	ctx, cancel, err := d.call(ctx, quick)
	if err != nil {
		return known, err
	}
	defer cancel()
	p := known
	p.Containers = slices.Clone(known.Containers)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(looksAtOnce)
	if bare(p.ID) {
		d.lookBare(&p)
	} else if p.Infra.ID != "" && !(d.runsOn(p.Infra) && (p.HostNetwork || p.IP != "")) {
		g.Go(func() error { return d.lookInfra(gctx, &p) })
	}
	for i := range p.Containers {
		if c := &p.Containers[i]; c.State != sandbox.Exited && !d.runsOn(*c) {
			g.Go(func() error { return d.lookContainer(gctx, &known, c) })
		}
	}
	if err := g.Wait(); err != nil {
		return known, err
	}
	p.Containers = slices.DeleteFunc(p.Containers, func(c sandbox.Container) bool { return c.ID == "" })
	if p.Infra.ID == "" && !slices.ContainsFunc(p.Containers, func(c sandbox.Container) bool { return c.State != sandbox.Exited }) {
		return p, sandbox.ErrNotFound
	}
	return p, nil
}

// runsOn tells whether a container is as it was known: a pause, an end and a removal all
// end that its process is followed, and so does the loss of Podman's events.
func (d *Driver) runsOn(c sandbox.Container) bool {
	return c.State == sandbox.Running && !c.StartedAt.IsZero() && d.exits.alive(c.ID)
}

func (d *Driver) lookInfra(ctx context.Context, p *sandbox.Pod) error {
	i, err := d.inspect(ctx, p.Infra.ID)
	if err != nil || i == nil {
		p.Infra, p.IP = sandbox.Container{}, ""
		return err
	}
	d.fill(ctx, &p.Infra, i)
	p.IP = ""
	if p.Infra.State == sandbox.Running {
		d.follow(cgroup.Process{Key: p.Key, UID: p.UID, ID: p.Infra.ID, PID: i.State.Pid})
	}
	if !p.HostNetwork && p.Infra.State == sandbox.Running && i.NetworkSettings != nil {
		for _, n := range i.NetworkSettings.Networks {
			if n.IPAddress != "" {
				p.IP = n.IPAddress
			}
		}
	}
	return nil
}

func (d *Driver) lookContainer(ctx context.Context, p *sandbox.Pod, c *sandbox.Container) error {
	i, err := d.inspect(ctx, c.ID)
	if err != nil || i == nil {
		d.cgroups.Ended(c.ID)
		c.ID = ""
		return err
	}
	d.fill(ctx, c, i)
	switch c.State {
	case sandbox.Running:
		d.follow(cgroup.Process{Key: p.Key, UID: p.UID, Container: c.Name, ID: c.ID, PID: i.State.Pid, NoPod: bare(p.ID)})
	case sandbox.Exited:
		c.OOMKilled = d.cgroups.Ended(c.ID) || c.OOMKilled
	}
	return nil
}

// inspect returns nil for a container that is not there.
func (d *Driver) inspect(ctx context.Context, id string) (*define.InspectContainerData, error) {
	i, err := containers.Inspect(ctx, id, nil)
	if err == nil {
		return i, nil
	}
	if err = d.fail("inspect container "+id, err); errors.Is(err, sandbox.ErrNotFound) {
		return nil, nil
	}
	return nil, err
}

func (d *Driver) fill(ctx context.Context, c *sandbox.Container, i *define.InspectContainerData) {
	c.ID, c.Image, c.ImageID = i.ID, i.ImageName, "sha256:"+i.Image
	if i.State == nil {
		c.State = sandbox.Unknown
		return
	}
	c.State, c.ExitCode, c.OOMKilled = state(i.State.Status), int(i.State.ExitCode), i.State.OOMKilled
	c.StartedAt = i.State.StartedAt
	if c.State == sandbox.Exited || c.State == sandbox.Created {
		c.FinishedAt = i.State.FinishedAt
	}
	d.settle(ctx, c)
}
