package podman

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containers/image/v5/manifest"
	"github.com/containers/podman/v4/pkg/bindings/containers"
	"github.com/containers/podman/v4/pkg/signal"
	"github.com/containers/podman/v4/pkg/specgen"
	spec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/skerry/skerry/services/agent/cgroup"
	"github.com/skerry/skerry/services/agent/logfile"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// CreateContainer makes a container in its sandbox and returns its id. It
// answers sandbox.ErrImageUnknown if the image is not here: nothing is pulled.
func (d *Driver) CreateContainer(ctx context.Context, c sandbox.ContainerSpec) (string, error) {
	ctx, cancel, err := d.call(ctx, slow)
	if err != nil {
		return "", err
	}
	defer cancel()
	g := containerSpec(c)
	if bare(c.SandboxID) {
		if err := d.join(g, c); err != nil {
			return "", err
		}
	}
	if d.LogDir != "" {
		g.LogConfiguration.Path = logfile.PathOf(d.LogDir, c)
		if err := os.MkdirAll(filepath.Dir(g.LogConfiguration.Path), 0o700); err != nil {
			return "", fmt.Errorf("make directory of logs: %w", err)
		}
	}
	if err := d.secure(ctx, g, c); err != nil {
		return "", err
	}
	id, err := d.create(ctx, g)
	if err != nil {
		return "", err
	}
	if (c.Resources.Memory > 0 || c.Sandbox.Resources.Memory > 0) && !d.cgroups.Told() {
		d.early.add(cgroup.Process{Key: c.Sandbox.Key, UID: c.Sandbox.UID, Container: c.Name, ID: id, NoPod: bare(c.SandboxID)})
	}
	return id, nil
}

// create makes a container whose working directory Podman cannot mistake.
func (d *Driver) create(ctx context.Context, g *specgen.SpecGenerator) (string, error) {
	g.CreateWorkingDir = true // as containerd and CRI-O do
	r, err := containers.CreateWithSpec(ctx, g, nil)
	if err != nil {
		return "", d.fail("create container "+g.Name, err)
	}
	dir, err := d.settleWorkdir(ctx, r.ID)
	if err == nil && dir == "" {
		return r.ID, nil
	}
	if rmErr := d.RemoveContainer(ctx, r.ID); rmErr != nil || err != nil {
		return "", errors.Join(err, rmErr)
	}
	g.WorkDir = dir
	if r, err = containers.CreateWithSpec(ctx, g, nil); err != nil {
		return "", d.fail("create container "+g.Name, err)
	}
	return r.ID, nil
}

func containerSpec(c sandbox.ContainerSpec) *specgen.SpecGenerator {
	g := &specgen.SpecGenerator{}
	g.Name = c.FullName()
	g.Pod = c.SandboxID
	g.Labels = c.Labels()
	g.Image = c.Image
	g.RawImageName = c.Image
	g.Entrypoint = c.Entrypoint
	g.Command = c.Args
	g.Env = c.Env
	g.WorkDir = c.WorkingDir
	g.Stdin = c.Stdin
	g.Terminal = c.TTY
	g.RestartPolicy = "no"
	g.Systemd = "false"
	timeout := uint(c.Sandbox.Grace / time.Second)
	g.StopTimeout = &timeout
	// Files, whatever the host prefers: logs must not depend on a journal.
	g.LogConfiguration = &specgen.LogConfig{Driver: "k8s-file"}
	// Kubernetes ignores an image's own health check.
	g.HealthConfig = &manifest.Schema2HealthConfig{Test: []string{"NONE"}}
	g.ResourceLimits = limits(c.Resources)
	g.OOMScoreAdj = c.Resources.OOMScore
	g.Mounts = mounts(c.Mounts)
	for _, device := range c.Devices {
		g.Devices = append(g.Devices, spec.LinuxDevice{Path: device})
	}
	if c.PIDOf != "" {
		g.PidNS = specgen.Namespace{NSMode: specgen.FromContainer, Value: c.PIDOf}
	}
	if s, err := signal.ParseSignalNameOrNumber(c.StopSignal); err == nil {
		g.StopSignal = &s
	}
	return g
}

func mounts(ms []sandbox.Mount) []spec.Mount {
	var out []spec.Mount
	for _, m := range ms {
		options := append([]string{"rbind"}, m.Options...)
		if m.ReadOnly {
			options = append(options, "ro")
		}
		options = append(options, cmp.Or(m.Propagation, "rprivate"))
		out = append(out, spec.Mount{Type: "bind", Source: m.Source, Destination: m.Target, Options: options})
	}
	return out
}

// StartContainer starts a created container.
func (d *Driver) StartContainer(ctx context.Context, id string) error {
	ctx, cancel, err := d.call(ctx, slow)
	if err != nil {
		return err
	}
	defer cancel()
	if err := d.initialize(ctx, id); err != nil {
		return d.fail("start container "+id, err)
	}
	if err := containers.Start(ctx, id, nil); err != nil {
		return d.fail("start container "+id, err)
	}
	return nil
}

// StopContainer sends the stop signal and, after grace, SIGKILL. It returns when
// the container has ended; one that is not there has.
func (d *Driver) StopContainer(ctx context.Context, id string, grace time.Duration) error {
	ctx, cancel, err := d.call(ctx, grace+slow)
	if err != nil {
		return err
	}
	defer cancel()
	if grace < time.Second {
		err = containers.Kill(ctx, id, new(containers.KillOptions).WithSignal("SIGKILL"))
	} else {
		err = containers.Stop(ctx, id, new(containers.StopOptions).WithTimeout(uint(grace/time.Second)))
		d.exits.leave(id) // what is known of it is not true any more
	}
	if err == nil {
		return nil
	}
	if err = d.fail("stop container "+id, err); errors.Is(err, sandbox.ErrNotFound) || errors.Is(err, errState) {
		return nil
	}
	return err
}

// RemoveContainer removes a container with its anonymous volumes, killing it if need be.
func (d *Driver) RemoveContainer(ctx context.Context, id string) error {
	ctx, cancel, err := d.call(ctx, slow)
	if err != nil {
		return err
	}
	defer cancel()
	o := new(containers.RemoveOptions).WithForce(true).WithVolumes(true).WithTimeout(0).WithIgnore(true)
	_, err = containers.Remove(ctx, id, o)
	if err == nil {
		return nil
	}
	if err = d.fail("remove container "+id, err); errors.Is(err, sandbox.ErrNotFound) {
		return nil
	}
	return err
}
