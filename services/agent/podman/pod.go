package podman

import (
	"context"
	"errors"
	"time"

	nettypes "github.com/containers/common/libnetwork/types"
	"github.com/containers/podman/v4/pkg/bindings/containers"
	"github.com/containers/podman/v4/pkg/bindings/pods"
	"github.com/containers/podman/v4/pkg/domain/entities"
	"github.com/containers/podman/v4/pkg/specgen"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// CreateSandbox makes the pod with its infra container, not started, and returns its id.
// One that needs no infra container is made without, where that can be.
func (d *Driver) CreateSandbox(ctx context.Context, s sandbox.Spec) (string, error) {
	ctx, cancel, err := d.call(ctx, slow)
	if err != nil {
		return "", err
	}
	defer cancel()
	if s.Alone {
		if id, err := d.createBare(ctx, s); id != "" || err != nil {
			return id, err
		}
	}
	r, err := pods.CreatePodFromSpec(ctx, &entities.PodSpec{PodSpecGen: podSpec(s)})
	if err != nil {
		return "", d.fail("create pod "+s.Name(), err)
	}
	return r.Id, nil
}

func podSpec(s sandbox.Spec) specgen.PodSpecGenerator {
	g := specgen.PodSpecGenerator{}
	g.Name = s.Name()
	g.InfraName = s.InfraName()
	g.Labels = s.Labels()
	g.Hostname = s.Hostname
	g.SharedNamespaces = []string{"net", "ipc", "uts"}
	// The agent restarts containers; Podman must not do it as well.
	g.RestartPolicy = "no"
	g.ExitPolicy = "continue"
	g.ResourceLimits = limits(s.Resources)
	share(&g, s.Namespaces)
	if s.HostNetwork {
		g.NetNS = specgen.Namespace{NSMode: specgen.Host}
		return g
	}
	g.NetNS = specgen.Namespace{NSMode: specgen.Bridge}
	g.Networks = map[string]nettypes.PerNetworkOptions{s.Network: {}}
	for _, p := range s.Ports {
		g.PortMappings = append(g.PortMappings, nettypes.PortMapping{
			HostIP: p.HostIP, HostPort: p.Host, ContainerPort: p.Container, Protocol: p.Protocol,
		})
	}
	return g
}

// StartSandbox starts the infra container, which sets up the network.
func (d *Driver) StartSandbox(ctx context.Context, s sandbox.Spec) error {
	ctx, cancel, err := d.call(ctx, slow)
	if err != nil {
		return err
	}
	defer cancel()
	if _, ok := d.Spaces.Get(s.Name()); ok {
		return d.startBare(ctx, s)
	}
	if err := containers.Start(ctx, s.InfraName(), nil); err != nil {
		return d.fail("start pod "+s.Name(), err)
	}
	d.pin(s.Network) // the first pod's start made the bridge
	return nil
}

// StopSandbox stops whatever still runs and then the pod's infra container, and keeps
// everything for logs. Podman's own call does nothing to a pod of which something has ended.
func (d *Driver) StopSandbox(ctx context.Context, id string) error {
	ctx, cancel, err := d.call(ctx, slow)
	if err != nil {
		return err
	}
	defer cancel()
	if bare(id) {
		return d.stopBare(ctx, id)
	}
	i, err := pods.Inspect(ctx, id, nil)
	if err != nil {
		return d.gone("inspect pod "+id, err)
	}
	var errs []error
	for _, c := range i.Containers {
		if c.ID != i.InfraContainerID && state(c.State) != sandbox.Exited {
			errs = append(errs, d.stopNow(ctx, c.ID))
		}
	}
	if i.InfraContainerID != "" {
		errs = append(errs, d.stopNow(ctx, i.InfraContainerID))
	}
	return errors.Join(errs...)
}

// stopNow kills a container, whatever it is doing.
func (d *Driver) stopNow(ctx context.Context, id string) error {
	err := containers.Stop(ctx, id, new(containers.StopOptions).WithTimeout(0))
	d.exits.leave(id) // what is known of it is not true any more
	if err == nil {
		return nil
	}
	if err = d.fail("stop container "+id, err); errors.Is(err, sandbox.ErrNotFound) || errors.Is(err, errState) {
		return nil
	}
	return err
}

// RemoveSandbox kills and removes the pod with all containers and their anonymous
// volumes. A pod that is not there is removed already. A name stands for whichever sort
// of sandbox has it.
func (d *Driver) RemoveSandbox(ctx context.Context, id string) error {
	ctx, cancel, err := d.call(ctx, slow)
	if err != nil {
		return err
	}
	defer cancel()
	if bare(id) {
		if err := d.removeBare(ctx, id); err != nil {
			return err
		}
	}
	_, err = pods.Remove(ctx, id, new(pods.RemoveOptions).WithForce(true).WithTimeout(0))
	if err == nil {
		return nil
	}
	if err = d.fail("remove pod "+id, err); errors.Is(err, sandbox.ErrNotFound) {
		return nil
	}
	return err
}

// Pods lists every sandbox that Skerry made here.
func (d *Driver) Pods(ctx context.Context) ([]sandbox.Pod, error) {
	return d.list(ctx, []string{sandbox.LabelUID}, func(sandbox.Key) bool { return true })
}

// Pod lists the sandboxes of one pod's name: none, one, or one per uid.
func (d *Driver) Pod(ctx context.Context, k sandbox.Key) ([]sandbox.Pod, error) {
	return d.list(ctx, []string{
		sandbox.LabelNamespace + "=" + string(k.Namespace),
		sandbox.LabelPod + "=" + string(k.Name),
	}, func(o sandbox.Key) bool { return o == k })
}

func (d *Driver) list(ctx context.Context, labels []string, mine func(sandbox.Key) bool) ([]sandbox.Pod, error) {
	ctx, cancel, err := d.call(ctx, quick)
	if err != nil {
		return nil, err
	}
	defer cancel()
	o := new(containers.ListOptions).WithAll(true).WithFilters(map[string][]string{"label": labels})
	cs, err := containers.List(ctx, o)
	if err != nil {
		return nil, d.fail("list containers", err)
	}
	for _, c := range cs {
		d.follow(process(c))
	}
	ps := d.group(ctx, cs)
	if ps, err = d.addBare(ps, mine); err != nil {
		return nil, err
	}
	for i := range ps {
		if err := d.complete(ctx, &ps[i]); err != nil {
			return nil, err
		}
	}
	return ps, nil
}

// group makes pods of a flat list of containers, in the order of appearance.
func (d *Driver) group(ctx context.Context, cs []entities.ListContainer) []sandbox.Pod {
	var order []string
	byID := map[string]*sandbox.Pod{}
	for _, c := range cs {
		id := c.Pod
		if id == "" {
			id = bareOf(c.Labels)
		}
		p := byID[id]
		if p == nil {
			p = &sandbox.Pod{ID: id}
			if !p.FromLabels(c.Labels) {
				continue
			}
			byID[id] = p
			order = append(order, id)
		}
		if c.IsInfra {
			p.Infra = d.observed(ctx, c)
			continue
		}
		p.Containers = append(p.Containers, d.observed(ctx, c))
	}
	out := make([]sandbox.Pod, 0, len(order))
	for _, id := range order {
		out = append(out, *byID[id])
	}
	return out
}

func (d *Driver) observed(ctx context.Context, c entities.ListContainer) sandbox.Container {
	o := sandbox.Container{
		ID: c.ID, Image: c.Image, ImageID: "sha256:" + c.ImageID,
		State: state(c.State), ExitCode: int(c.ExitCode),
	}
	o.FromLabels(c.Labels)
	if c.StartedAt > 0 {
		o.StartedAt = time.Unix(c.StartedAt, 0)
	}
	if (o.State == sandbox.Exited || o.State == sandbox.Created) && c.ExitedAt > 0 {
		o.FinishedAt = time.Unix(c.ExitedAt, 0)
	}
	d.settle(ctx, &o)
	return o
}

func state(s string) sandbox.State {
	switch s {
	case "created", "configured", "initialized":
		return sandbox.Created
	case "running":
		return sandbox.Running
	case "paused":
		return sandbox.Paused
	case "exited", "stopped":
		return sandbox.Exited
	}
	return sandbox.Unknown // stopping, removing, unknown
}
