package podman

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/containers/podman/v4/pkg/bindings/containers"
	"github.com/containers/podman/v4/pkg/domain/entities"
	"github.com/containers/podman/v4/pkg/specgen"
	spec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// limits are r as the OCI runtime takes them, on cgroup v1 and v2: it turns shares
// into a weight where that is what the kernel has.
func limits(r sandbox.Resources) *spec.LinuxResources {
	l := &spec.LinuxResources{}
	if r.CPUShares > 0 || r.CPUQuota != 0 {
		l.CPU = &spec.LinuxCPU{}
		if r.CPUShares > 0 {
			l.CPU.Shares = &r.CPUShares
		}
		if r.CPUQuota != 0 {
			period := cmp.Or(r.CPUPeriod, 100_000)
			l.CPU.Quota, l.CPU.Period = &r.CPUQuota, &period
		}
	}
	if r.Memory != 0 {
		l.Memory = &spec.LinuxMemory{Limit: &r.Memory}
	}
	if r.Pids != 0 {
		l.Pids = &spec.LinuxPids{Limit: r.Pids}
	}
	for _, size := range slices.Sorted(maps.Keys(r.HugePages)) {
		l.HugepageLimits = append(l.HugepageLimits, spec.LinuxHugepageLimit{Pagesize: size, Limit: uint64(max(r.HugePages[size], 0))})
	}
	if l.CPU == nil && l.Memory == nil && l.Pids == nil && l.HugepageLimits == nil {
		return nil
	}
	return l
}

// UpdateContainer changes the limits of a running container, which does not notice:
// those of CPU and memory that r names.
func (d *Driver) UpdateContainer(ctx context.Context, id string, r sandbox.Resources) error {
	ctx, cancel, err := d.call(ctx, quick)
	if err != nil {
		return err
	}
	defer cancel()
	g := &specgen.SpecGenerator{}
	g.ResourceLimits = limits(sandbox.Resources{CPUShares: r.CPUShares, CPUQuota: r.CPUQuota, CPUPeriod: r.CPUPeriod, Memory: r.Memory})
	if g.ResourceLimits == nil {
		return nil
	}
	o := &entities.ContainerUpdateOptions{NameOrID: id, Specgen: g}
	if r.Memory > 0 {
		// Podman made it with twice its memory as the bound of memory and swap together: there is no
		// growing beyond that bound. A host that counts no swap has none, and takes none.
		both := 2 * r.Memory
		g.ResourceLimits.Memory.Swap = &both
		if _, err := containers.Update(ctx, o); err == nil {
			return nil
		}
		g.ResourceLimits.Memory.Swap = nil
	}
	if _, err := containers.Update(ctx, o); err != nil {
		return d.fail("change the limits of container "+id, err)
	}
	return nil
}

// Layer is the directory of a container's writable layer; "" if it has none that can be
// told from others, or is gone.
func (d *Driver) Layer(ctx context.Context, id string) (string, error) {
	ctx, cancel, err := d.call(ctx, quick)
	if err != nil {
		return "", err
	}
	defer cancel()
	i, err := d.inspect(ctx, id)
	if err != nil || i == nil || i.GraphDriver == nil {
		return "", err
	}
	return i.GraphDriver.Data["UpperDir"], nil
}
