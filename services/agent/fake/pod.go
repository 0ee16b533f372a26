package fake

import (
	"context"
	"fmt"
	"slices"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// Pods implements pod.Observer.
func (r *Runtime) Pods(ctx context.Context) ([]sandbox.Pod, error) {
	return r.list(ctx, func(*pod) bool { return true })
}

// Pod implements pod.Observer.
func (r *Runtime) Pod(ctx context.Context, k sandbox.Key) ([]sandbox.Pod, error) {
	return r.list(ctx, func(p *pod) bool { return p.spec.Key == k })
}

func (r *Runtime) list(ctx context.Context, want func(*pod) bool) ([]sandbox.Pod, error) {
	if err := r.enter(ctx); err != nil {
		return nil, err
	}
	defer r.mu.Unlock()
	var out []sandbox.Pod
	for id, p := range r.pods {
		if want(p) {
			out = append(out, p.show(id))
		}
	}
	return out, nil
}

// Look implements pod.Observer.
func (r *Runtime) Look(ctx context.Context, known sandbox.Pod) (sandbox.Pod, error) {
	if err := r.enter(ctx); err != nil {
		return sandbox.Pod{}, err
	}
	defer r.mu.Unlock()
	p := r.pods[known.ID]
	if p == nil {
		return sandbox.Pod{}, fmt.Errorf("look at pod %s: %w", known.ID, sandbox.ErrNotFound)
	}
	return p.show(known.ID), nil
}

func (p *pod) show(id string) sandbox.Pod {
	out := sandbox.Pod{ID: id, Key: p.spec.Key, UID: p.spec.UID, Grace: p.spec.Grace, HostNetwork: p.spec.HostNetwork, Infra: p.infra}
	if p.ip.IsValid() && p.infra.State == sandbox.Running {
		out.IP = p.ip.String()
	}
	out.Containers = make([]sandbox.Container, len(p.containers))
	for i, c := range p.containers {
		out.Containers[i] = c.Container
	}
	return out
}

// CreateSandbox implements pod.Sandboxes.
func (r *Runtime) CreateSandbox(ctx context.Context, s sandbox.Spec) (string, error) {
	if err := r.enter(ctx); err != nil {
		return "", err
	}
	defer r.mu.Unlock()
	id := s.Name()
	if r.pods[id] != nil {
		return "", fmt.Errorf("create pod %s: %w", id, sandbox.ErrExists)
	}
	r.pods[id] = &pod{spec: s, infra: sandbox.Container{ID: s.InfraName(), State: sandbox.Created}}
	return id, nil
}

// StartSandbox implements pod.Sandboxes.
func (r *Runtime) StartSandbox(ctx context.Context, s sandbox.Spec) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	defer r.mu.Unlock()
	p := r.pods[s.Name()]
	if p == nil {
		return fmt.Errorf("start pod %s: %w", s.Name(), sandbox.ErrNotFound)
	}
	if p.infra.State == sandbox.Running {
		return nil
	}
	if !p.spec.HostNetwork && !p.ip.IsValid() {
		ip, err := r.address(p.spec.Network)
		if err != nil {
			return fmt.Errorf("start pod %s: %w", s.Name(), err)
		}
		p.ip = ip
	}
	p.infra.State, p.infra.StartedAt = sandbox.Running, r.Now()
	return nil
}

// StopSandbox implements pod.Sandboxes.
func (r *Runtime) StopSandbox(ctx context.Context, id string) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	p := r.pods[id]
	if p == nil {
		r.mu.Unlock()
		return nil
	}
	tell := r.tell(p.spec.Key, true)
	for _, c := range p.containers {
		r.exit(c, killed)
	}
	if p.infra.State == sandbox.Running {
		p.infra.State, p.infra.FinishedAt = sandbox.Exited, r.Now()
	}
	r.mu.Unlock()
	tell()
	return nil
}

// RemoveSandbox implements pod.Sandboxes.
func (r *Runtime) RemoveSandbox(ctx context.Context, id string) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	p := r.pods[id]
	if p == nil {
		r.mu.Unlock()
		return nil
	}
	tell := r.tell(p.spec.Key, false)
	for _, c := range slices.Clone(p.containers) {
		r.drop(c)
	}
	delete(r.pods, id)
	delete(r.used, p.ip)
	r.mu.Unlock()
	tell()
	return nil
}
