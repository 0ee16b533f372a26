package fake

import (
	"context"
	"fmt"
	"slices"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// Pods implements pod.Observer.
func (r *Runtime) Pods(ctx context.Context) ([]sandbox.Pod, error) {
	if err := r.enter(ctx); err != nil {
		return nil, err
	}
	defer r.mu.Unlock()
	out := make([]sandbox.Pod, 0, len(r.pods))
	for id, p := range r.pods {
		out = append(out, p.show(id))
	}
	return out, nil
}

// Pod implements pod.Observer.
func (r *Runtime) Pod(ctx context.Context, k sandbox.Key) ([]sandbox.Pod, error) {
	if err := r.enter(ctx); err != nil {
		return nil, err
	}
	defer r.mu.Unlock()
	var out []sandbox.Pod
	for id, p := range r.pods {
		if p.key == k {
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
	out := sandbox.Pod{ID: id, Key: p.key, UID: p.uid, Grace: p.grace, HostNetwork: p.hostNetwork, Containers: slices.Clip(p.containers),
		Infra: sandbox.Container{ID: p.infra, State: p.state, StartedAt: p.started, FinishedAt: p.ended}}
	if p.ip.IsValid() && p.state == sandbox.Running {
		out.IP = p.ip.String()
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
	p := &pod{key: s.Key, uid: s.UID, grace: s.Grace, network: s.Network, hostNetwork: s.HostNetwork, infra: s.InfraName(), state: sandbox.Created}
	id = p.infra[:len(id)] // the same memory
	r.pods[id] = p
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
	if p.state == sandbox.Running {
		return nil
	}
	if !p.hostNetwork && !p.ip.IsValid() {
		ip, err := r.address(p.network)
		if err != nil {
			return fmt.Errorf("start pod %s: %w", s.Name(), err)
		}
		p.ip = ip
	}
	p.state, p.started = sandbox.Running, r.Now()
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
	tell := r.tell(p.key, true)
	for _, c := range p.containers {
		r.exit(c.ID, killed)
	}
	if p.state == sandbox.Running {
		p.state, p.ended = sandbox.Exited, r.Now()
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
	tell := r.tell(p.key, false)
	for _, c := range p.containers {
		r.drop(c.ID)
	}
	delete(r.pods, id)
	delete(r.used, p.ip)
	r.mu.Unlock()
	tell()
	return nil
}
