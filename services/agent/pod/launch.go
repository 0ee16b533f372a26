package pod

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/env"
	"github.com/skerry/skerry/services/agent/image"
	"github.com/skerry/skerry/services/agent/member"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/status"
)

// launching is the way from nothing, or from a sandbox, to running containers.
type launching struct {
	*Reconciler
	e    *entry
	pod  *v1.Pod
	spec sandbox.Spec
	id   string       // of the sandbox
	mine *sandbox.Pod // as it was seen; nil if there was none
	// blind is true if nobody looked whether there is one.
	blind bool
	// containers to start, in the order of the spec.
	containers []*starting
}

// starting is one container to start.
type starting struct {
	spec    *v1.Container
	member  member.Container
	attempt int
	id      string // once it is made
	result  env.Result
	err     error
}

// launch makes and starts what steps say. The sandbox's network is set up while
// its containers are made: neither needs the other before they start.
func (r *Reconciler) launch(ctx context.Context, e *entry, in Input, steps []Step) error {
	network, _ := r.Network()
	l := &launching{Reconciler: r, e: e, pod: in.Order, blind: in.Blind, spec: SandboxSpec(in.Order, r.Node, network)}
	mine, _ := in.split()
	if mine != nil {
		l.id, l.mine = mine.ID, mine
	}
	for _, s := range steps {
		if s.Verb == StartContainer || s.Verb == ResumeContainer {
			l.add(s)
		}
	}
	if ready, err := l.volumes(ctx); !ready {
		return err
	}
	if err := l.settle(ctx, mine); err != nil {
		return l.sandboxFailed(ctx, err)
	}
	up := true // the sandbox is running
	for _, s := range steps {
		switch s.Verb {
		case CreateSandbox:
			up = false
			id, err := r.Runtime.CreateSandbox(ctx, l.spec)
			if err != nil {
				return l.sandboxFailed(ctx, err)
			}
			l.id = id
		case StartSandbox:
			up = false
		}
	}
	if ready, err := l.prepare(ctx, up, mine); !ready {
		return err
	}
	for _, c := range l.containers {
		if err := l.start(ctx, c); err != nil {
			return err
		}
	}
	if len(in.Observed) == 0 || len(in.Observed) == 1 && mine != nil {
		r.saw(e, []sandbox.Pod{l.made(mine)})
	}
	return nil
}

// made is what the runtime has of the pod now, as far as looking at it needs to know.
func (l *launching) made(mine *sandbox.Pod) sandbox.Pod {
	p := sandbox.Pod{
		ID: l.id, Key: l.spec.Key, UID: l.spec.UID, Grace: l.spec.Grace, HostNetwork: l.spec.HostNetwork,
		Infra: sandbox.Container{ID: l.spec.InfraName()},
	}
	if mine != nil {
		p = *mine
		p.Containers = slices.Clone(mine.Containers)
	}
	for _, c := range l.containers {
		known := slices.ContainsFunc(p.Containers, func(o sandbox.Container) bool { return o.ID == c.id })
		if c.id != "" && !known {
			p.Containers = append(p.Containers, sandbox.Container{
				ID: c.id, Name: c.spec.Name, Attempt: c.attempt, Hash: Hash(c.spec), State: sandbox.Created,
			})
		}
	}
	return p
}

func (l *launching) add(s Step) {
	m, ok := member.Find(l.pod, s.Container)
	if !ok {
		return // plans name containers of the order only
	}
	c := &starting{spec: m.Container, member: m, attempt: s.Attempt}
	if s.Verb == ResumeContainer {
		c.id = s.IDs[0]
	}
	l.containers = append(l.containers, c)
}

// prepare starts the sandbox and makes the containers, at once. It tells whether
// the sandbox is up.
func (l *launching) prepare(ctx context.Context, up bool, mine *sandbox.Pod) (bool, error) {
	var sandboxErr error
	started := make(chan struct{})
	var g errgroup.Group
	g.Go(func() error {
		defer close(started)
		if !up {
			sandboxErr = l.Runtime.StartSandbox(ctx, l.spec)
		}
		if sandboxErr != nil {
			return nil
		}
		return l.writeNames(ctx, mine)
	})
	for _, c := range l.containers {
		if c.id != "" {
			continue
		}
		g.Go(func() error {
			var ips []string
			if env.NeedsPodIP(c.spec) {
				<-started // bounded by StartSandbox's own limit
				ips, c.err = l.podIPs(ctx, mine)
			}
			if c.err == nil {
				c.err = l.create(ctx, c, ips)
			}
			return nil
		})
	}
	err := g.Wait()
	if sandboxErr != nil {
		return false, l.sandboxFailed(ctx, sandboxErr)
	}
	l.e.mem.Sandbox = Hold{}
	return err == nil, err
}

func (l *launching) podIPs(ctx context.Context, mine *sandbox.Pod) ([]string, error) {
	if l.spec.HostNetwork {
		return l.HostIPs(), nil
	}
	if mine != nil && mine.IP != "" {
		return []string{mine.IP}, nil
	}
	p, err := l.Runtime.Look(ctx, sandbox.Pod{ID: l.id, Key: l.spec.Key, UID: l.spec.UID, Infra: sandbox.Container{ID: l.spec.InfraName()}})
	if err != nil {
		return nil, err
	}
	if p.IP != "" {
		return []string{p.IP}, nil
	}
	return nil, fmt.Errorf("pod %s has no address yet", l.spec.Key)
}

// sandboxFailed remembers why there is no sandbox and removes what there is of one.
func (l *launching) sandboxFailed(ctx context.Context, err error) error {
	if errors.Is(err, sandbox.ErrUnreachable) || ctx.Err() != nil {
		return err
	}
	if errors.Is(err, sandbox.ErrExists) && l.id == "" {
		if l.blind {
			return err // look first
		}
		// One that a crash left half made, without the container that lists find it by.
		if rmErr := l.Runtime.RemoveSandbox(ctx, l.spec.Name()); rmErr != nil {
			return errors.Join(err, rmErr)
		}
		return err
	}
	l.e.mem.Sandbox = l.e.mem.Sandbox.Again(l.Now())
	l.Recorder.Event(l.pod, v1.EventTypeWarning, "FailedCreatePodSandBox", "Failed to create pod sandbox: "+err.Error())
	if l.id == "" {
		return nil
	}
	return l.Runtime.RemoveSandbox(ctx, l.id)
}

// configError is a container's own settings that cannot be had.
type configError struct{ error }

func (l *launching) create(ctx context.Context, c *starting, ips []string) error {
	node := env.Node{Name: l.Node, HostIPs: l.HostIPs(), PodIPs: ips, Allocatable: l.Allocatable(),
		File: func(volume, path string) ([]byte, error) { return l.Volumes.ReadFile(l.pod, volume, path) }}
	result, err := env.Make(ctx, l.pod, c.spec, node, l.Source)
	if err != nil {
		return configError{err}
	}
	c.result = result
	security, err := l.secure(ctx, c.spec)
	if err != nil {
		return err
	}
	mounts, err := l.Volumes.Mounts(l.pod, c.spec, result.Env)
	if err != nil {
		return configError{err}
	}
	files, err := l.nameFiles(c.spec)
	if err != nil {
		return err
	}
	mounts = append(mounts, files...)
	words, err := l.messageMount(c)
	if err != nil {
		return err
	}
	devices, err := l.Devices.Take(l.pod.UID, c.spec)
	if err != nil {
		return configError{err}
	}
	c.id, err = l.Runtime.CreateContainer(ctx, sandbox.ContainerSpec{
		SandboxID: l.id, Sandbox: l.spec, Name: c.spec.Name, Attempt: c.attempt, Hash: Hash(c.spec),
		Image:      c.spec.Image,
		Entrypoint: env.ExpandAll(c.spec.Command, result.Env),
		Args:       env.ExpandAll(c.spec.Args, result.Env),
		Env:        result.Env, WorkingDir: c.spec.WorkingDir,
		Stdin: c.spec.Stdin, TTY: c.spec.TTY, Resources: l.limits(c.spec), Mounts: append(mounts, words...), Devices: devices,
		PIDOf: l.target(c), StopSignal: stopSignal(c.spec), Security: security,
	})
	return err
}

// target is the id of the container whose processes an ephemeral one is to see.
func (l *launching) target(c *starting) string {
	if c.member.Target == "" || l.mine == nil {
		return ""
	}
	if t := l.mine.Newest(c.member.Target); t != nil {
		return t.ID
	}
	return ""
}

func stopSignal(c *v1.Container) string {
	if c.Lifecycle == nil || c.Lifecycle.StopSignal == nil {
		return ""
	}
	return string(*c.Lifecycle.StopSignal)
}

// start starts a container that was made, or remembers why it was not.
func (l *launching) start(ctx context.Context, c *starting) error {
	name := c.spec.Name
	if c.err != nil {
		return l.createFailed(c)
	}
	l.record(c)
	now := l.Now()
	if c.attempt > 0 {
		l.e.mem.Backoff = with(l.e.mem.Backoff, name, l.e.mem.Backoff[name].Next(now))
	}
	delete(l.e.mem.Failures, name)
	l.puller.Started(image.Use{Pod: l.pod.UID, Container: name, Attempt: c.attempt})
	if err := l.Runtime.StartContainer(ctx, c.id); err != nil {
		if errors.Is(err, sandbox.ErrUnreachable) || ctx.Err() != nil {
			return err
		}
		l.Recorder.EventAt(l.pod, c.member.Path(), v1.EventTypeWarning, "Failed", "Error: "+err.Error())
		l.e.mem.Unstarted = with(l.e.mem.Unstarted, c.id, status.Unstarted{Message: err.Error(), At: now})
		return nil
	}
	l.Recorder.EventAt(l.pod, c.member.Path(), v1.EventTypeNormal, "Started", "Started container "+name)
	return nil
}

func (l *launching) record(c *starting) {
	for from, keys := range c.result.Skipped {
		l.Recorder.Event(l.pod, v1.EventTypeWarning, "InvalidEnvironmentVariableNames", env.Message(from, keys))
	}
	u := image.Use{Pod: l.pod.UID, Container: c.spec.Name, Attempt: c.attempt}
	if l.puller.State(u).Phase == image.Untried {
		l.Recorder.EventAt(l.pod, c.member.Path(), v1.EventTypeNormal, "Pulled", fmt.Sprintf("Container image %q already present on machine", c.spec.Image))
	}
	l.Recorder.EventAt(l.pod, c.member.Path(), v1.EventTypeNormal, "Created", "Created container: "+c.spec.Name)
}

func (l *launching) createFailed(c *starting) error {
	var config configError
	switch {
	case errors.Is(c.err, sandbox.ErrUnreachable):
		return c.err
	case errors.Is(c.err, sandbox.ErrImageUnknown):
		l.puller.MarkMissing(image.Use{Pod: l.pod.UID, Container: c.spec.Name, Attempt: c.attempt})
		return nil
	case errors.Is(c.err, sandbox.ErrExists):
		return c.err // made before a crash: the next look finds it
	}
	reason := "CreateContainerError"
	if errors.As(c.err, &config) {
		reason = "CreateContainerConfigError"
	}
	name := c.spec.Name
	l.e.mem.Failures = with(l.e.mem.Failures, name, Failure{Hold: l.e.mem.Failures[name].Again(l.Now()), Reason: reason, Message: c.err.Error()})
	return nil
}

// with sets m[k] in a map that may be nil.
func with[V any](m map[string]V, k string, v V) map[string]V {
	if m == nil {
		m = map[string]V{}
	}
	m[k] = v
	return m
}
