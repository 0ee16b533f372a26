package podman

import (
	"context"
	"errors"
	"sync"

	"github.com/containers/podman/v4/pkg/bindings/containers"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// ipCache remembers addresses by infra container and start: they cannot change
// while it runs, and asking costs a round trip per pod.
type ipCache struct {
	mu    sync.Mutex
	known map[string]string
}

func (c *ipCache) get(key string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ip, ok := c.known[key]
	return ip, ok
}

func (c *ipCache) put(key, ip string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) > 4096 { // pods come and go; forgetting costs one look each
		clear(c.known)
	}
	c.known[key] = ip
}

// complete adds what a list does not tell: the pod's address, and whether a
// container that was killed under a limit ran out of memory.
func (d *Driver) complete(ctx context.Context, p *sandbox.Pod) error {
	for i := range p.Containers {
		c := &p.Containers[i]
		if c.State == sandbox.Exited {
			c.OOMKilled = d.cgroups.Ended(c.ID)
		}
		if c.State == sandbox.Exited && c.ExitCode == 137 && !c.OOMKilled {
			oom, err := d.oomKilled(ctx, c.ID)
			if err != nil {
				return err
			}
			c.OOMKilled = oom
		}
	}
	if p.HostNetwork || p.Infra.State != sandbox.Running || bare(p.ID) {
		return nil
	}
	ip, err := d.address(ctx, p.Infra)
	p.IP = ip
	return err
}

func (d *Driver) address(ctx context.Context, infra sandbox.Container) (string, error) {
	key := infra.ID + infra.StartedAt.String()
	if ip, ok := d.ips.get(key); ok {
		return ip, nil
	}
	i, err := containers.Inspect(ctx, infra.ID, nil)
	if err != nil {
		return "", d.gone("inspect pod's infra container "+infra.ID, err)
	}
	if i.NetworkSettings == nil {
		return "", nil
	}
	for _, n := range i.NetworkSettings.Networks {
		if n.IPAddress != "" {
			d.ips.put(key, n.IPAddress)
			return n.IPAddress, nil
		}
	}
	return "", nil
}

func (d *Driver) oomKilled(ctx context.Context, id string) (bool, error) {
	key := "oom" + id
	if v, ok := d.ips.get(key); ok {
		return v != "", nil
	}
	i, err := containers.Inspect(ctx, id, nil)
	if err != nil {
		return false, d.gone("inspect container "+id, err)
	}
	v := ""
	if i.State != nil && i.State.OOMKilled {
		v = "oom"
	}
	d.ips.put(key, v)
	return v != "", nil
}

// gone is nil for what was removed between a list and a look.
func (d *Driver) gone(what string, err error) error {
	if err = d.fail(what, err); errors.Is(err, sandbox.ErrNotFound) {
		return nil
	}
	return err
}
