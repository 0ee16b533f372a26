package fake

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/services/agent/podman"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// killed is the exit code of what SIGKILL ended.
const killed = 137

// CreateContainer implements pod.Containers.
func (r *Runtime) CreateContainer(ctx context.Context, c sandbox.ContainerSpec) (string, error) {
	if err := r.enter(ctx); err != nil {
		return "", err
	}
	defer r.mu.Unlock()
	id := c.FullName()
	p := r.pods[c.SandboxID]
	switch {
	case p == nil:
		return "", fmt.Errorf("create container %s: pod %s: %w", id, c.SandboxID, sandbox.ErrNotFound)
	case r.containers[id] != nil:
		return "", fmt.Errorf("create container %s: %w", id, sandbox.ErrExists)
	case !r.has(c.Image):
		return "", fmt.Errorf("create container %s: image %s: %w", id, c.Image, sandbox.ErrImageUnknown)
	}
	made := &container{pod: p, program: r.program(c), Container: sandbox.Container{
		ID: id, Name: c.Name, Attempt: c.Attempt, Hash: c.Hash, Image: c.Image, ImageID: "sha256:simulated", State: sandbox.Created,
	}}
	r.containers[id] = made
	p.containers = append(p.containers, made)
	return id, nil
}

// StartContainer implements pod.Containers.
func (r *Runtime) StartContainer(ctx context.Context, id string) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	defer func() { r.mu.Unlock() }()
	c := r.containers[id]
	if c == nil {
		return fmt.Errorf("start container %s: %w", id, sandbox.ErrNotFound)
	}
	if c.program.Start > 0 {
		r.mu.Unlock()
		err := pause.For(ctx, c.program.Start)
		r.mu.Lock()
		if err != nil {
			return err
		}
		if r.containers[id] != c {
			return fmt.Errorf("start container %s: %w", id, sandbox.ErrNotFound)
		}
	}
	if c.State != sandbox.Created {
		return nil
	}
	if c.program.Fails != nil {
		return fmt.Errorf("start container %s: %w", id, c.program.Fails)
	}
	c.State, c.StartedAt = sandbox.Running, r.Now()
	if c.program.Life > 0 {
		c.end = time.AfterFunc(c.program.Life, func() { r.expire(c) })
	}
	return nil
}

// expire ends a container by itself.
func (r *Runtime) expire(c *container) {
	r.mu.Lock()
	tell := r.tell(c.pod.key, true)
	ended := r.exit(c, c.program.Code)
	r.mu.Unlock()
	if ended {
		tell()
	}
}

// exit needs r.mu; false if c was not running.
func (r *Runtime) exit(c *container, code int) bool {
	if c.State != sandbox.Running {
		return false
	}
	c.State, c.ExitCode, c.FinishedAt = sandbox.Exited, code, r.Now()
	if c.end != nil {
		c.end.Stop()
		c.end = nil
	}
	return true
}

// drop needs r.mu.
func (r *Runtime) drop(c *container) {
	r.exit(c, killed)
	delete(r.containers, c.ID)
	c.pod.containers = slices.DeleteFunc(c.pod.containers, func(o *container) bool { return o == c })
}

// StopContainer implements pod.Containers.
func (r *Runtime) StopContainer(ctx context.Context, id string, grace time.Duration) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	c := r.containers[id]
	if c == nil || c.State != sandbox.Running {
		r.mu.Unlock()
		return nil
	}
	tell := r.tell(c.pod.key, true)
	switch {
	case grace < time.Second: // as Podman's driver: SIGKILL at once
		r.exit(c, killed)
	case !c.program.Stubborn:
		r.exit(c, c.program.Term)
	default:
		r.mu.Unlock()
		err := pause.For(ctx, grace)
		r.mu.Lock()
		if err != nil {
			r.mu.Unlock()
			return err
		}
		r.exit(c, killed)
	}
	r.mu.Unlock()
	tell()
	return nil
}

// RemoveContainer implements pod.Containers.
func (r *Runtime) RemoveContainer(ctx context.Context, id string) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	c := r.containers[id]
	if c == nil {
		r.mu.Unlock()
		return nil
	}
	tell := r.tell(c.pod.key, false)
	r.drop(c)
	r.mu.Unlock()
	tell()
	return nil
}

// LogSource has no file: Logs tells what there is.
func (r *Runtime) LogSource(context.Context, string) (podman.LogSource, error) {
	return podman.LogSource{}, nil
}

// Logs writes what the container is simulated to have said.
func (r *Runtime) Logs(ctx context.Context, id string, _ podman.LogOptions, write func(p []byte) error) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	c := r.containers[id]
	if c == nil {
		r.mu.Unlock()
		return fmt.Errorf("read logs of %s: %w", id, sandbox.ErrNotFound)
	}
	out := c.program.Output
	if c.State == sandbox.Created {
		out = ""
	}
	r.mu.Unlock()
	if out == "" {
		return nil
	}
	return write([]byte(out))
}

// Exec runs nothing: it says so, and succeeds.
func (r *Runtime) Exec(ctx context.Context, id string, e podman.Exec) (int, error) {
	if err := r.enter(ctx); err != nil {
		return 0, err
	}
	c := r.containers[id]
	up := c != nil && c.State == sandbox.Running
	r.mu.Unlock()
	if !up {
		return 0, fmt.Errorf("run a command in %s: %w", id, sandbox.ErrNotFound)
	}
	if e.Output == nil {
		return 0, nil
	}
	return 0, e.Output(1, fmt.Appendf(nil, "simulated: %q\n", e.Command))
}

// Run pretends to run a command without input.
func (r *Runtime) Run(ctx context.Context, id string, command []string, _ int) (int, []byte, error) {
	var output []byte
	code, err := r.Exec(ctx, id, podman.Exec{Command: command, Output: func(_ byte, p []byte) error { output = p; return nil }})
	return code, output, err
}
