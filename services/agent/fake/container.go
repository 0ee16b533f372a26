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
	if program := r.program(c); program != (Program{}) {
		r.lives[id] = &life{program: program}
	}
	r.containers[id] = p
	p.containers = append(slices.Clip(p.containers), sandbox.Container{
		ID: id, Name: c.Name, Attempt: c.Attempt, Hash: c.Hash, Image: c.Image, ImageID: "sha256:simulated", State: sandbox.Created,
	})
	return id, nil
}

// look returns a container as it is, the zero one if it is not there. It needs r.mu.
func (r *Runtime) look(id string) sandbox.Container {
	if p := r.containers[id]; p != nil {
		return p.containers[p.index(id)]
	}
	return sandbox.Container{}
}

func (p *pod) index(id string) int {
	return slices.IndexFunc(p.containers, func(c sandbox.Container) bool { return c.ID == id })
}

// change changes a container that is there. It needs r.mu.
func (r *Runtime) change(id string, f func(*sandbox.Container)) {
	p := r.containers[id]
	p.containers = slices.Clone(p.containers)
	f(&p.containers[p.index(id)])
}

// StartContainer implements pod.Containers.
func (r *Runtime) StartContainer(ctx context.Context, id string) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	defer func() { r.mu.Unlock() }()
	p, l := r.containers[id], r.life(id)
	if p == nil {
		return fmt.Errorf("start container %s: %w", id, sandbox.ErrNotFound)
	}
	if l.program.Start > 0 {
		r.mu.Unlock()
		err := pause.For(ctx, l.program.Start)
		r.mu.Lock()
		if err != nil {
			return err
		}
		if r.containers[id] != p || r.life(id) != l {
			return fmt.Errorf("start container %s: %w", id, sandbox.ErrNotFound)
		}
	}
	if r.look(id).State != sandbox.Created {
		return nil
	}
	if l.program.Fails != nil {
		return fmt.Errorf("start container %s: %w", id, l.program.Fails)
	}
	r.change(id, func(c *sandbox.Container) { c.State, c.StartedAt = sandbox.Running, r.Now() })
	if l.program.Life > 0 {
		l.end = time.AfterFunc(l.program.Life, func() { r.expire(p, id, l) })
	}
	return nil
}

// expire ends a container by itself, unless another one has its name by now.
func (r *Runtime) expire(p *pod, id string, l *life) {
	r.mu.Lock()
	tell := r.tell(p.key, true)
	ended := r.life(id) == l && r.exit(id, l.program.Code)
	r.mu.Unlock()
	if ended {
		tell()
	}
}

// exit needs r.mu; false if the container was not running.
func (r *Runtime) exit(id string, code int) bool {
	if r.look(id).State != sandbox.Running {
		return false
	}
	r.change(id, func(c *sandbox.Container) { c.State, c.ExitCode, c.FinishedAt = sandbox.Exited, code, r.Now() })
	if l := r.life(id); l.end != nil {
		l.end.Stop()
		l.end = nil
	}
	return true
}

// drop needs r.mu.
func (r *Runtime) drop(id string) {
	r.exit(id, killed)
	p := r.containers[id]
	delete(r.containers, id)
	delete(r.lives, id)
	p.containers = slices.DeleteFunc(slices.Clone(p.containers), func(c sandbox.Container) bool { return c.ID == id })
}

// StopContainer implements pod.Containers.
func (r *Runtime) StopContainer(ctx context.Context, id string, grace time.Duration) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	if r.look(id).State != sandbox.Running {
		r.mu.Unlock()
		return nil
	}
	l, tell := r.life(id), r.tell(r.containers[id].key, true)
	switch {
	case grace < time.Second: // as Podman's driver: SIGKILL at once
		r.exit(id, killed)
	case !l.program.Stubborn:
		r.exit(id, l.program.Term)
	default:
		r.mu.Unlock()
		err := pause.For(ctx, grace)
		r.mu.Lock()
		if err != nil {
			r.mu.Unlock()
			return err
		}
		if r.life(id) == l {
			r.exit(id, killed)
		}
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
	p := r.containers[id]
	if p == nil {
		r.mu.Unlock()
		return nil
	}
	tell := r.tell(p.key, false)
	r.drop(id)
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
	if r.containers[id] == nil {
		r.mu.Unlock()
		return fmt.Errorf("read logs of %s: %w", id, sandbox.ErrNotFound)
	}
	out := r.life(id).program.Output
	if r.look(id).State == sandbox.Created {
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
	up := r.look(id).State == sandbox.Running
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
