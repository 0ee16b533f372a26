package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus/api"
)

// aimHeal is how much longer than a raw start a container may be away.
const aimHeal = 50 * time.Millisecond

// heal measures from a container's SIGKILL to Running again as the API reports it,
// in turns with the raw start of a container. Each round kills another pod's
// container: a second restart of the same one would wait for its back-off.
func (b *bench) heal(ctx context.Context) ([]row, error) {
	return b.inCluster(ctx, func(ctx context.Context, c *cluster, client *api.Client) ([]row, error) {
		ctx, cancel := context.WithCancel(ctx)
		pods := watch(ctx, client)
		defer func() { cancel(); <-pods.done }()
		if err := c.apply(ctx, deployment("heal", b.heals)); err != nil {
			return nil, err
		}
		if _, err := pods.expect("ready pods", count(b.heals, isReady))(ctx); err != nil {
			return nil, err
		}
		var names []string
		for name := range pods.pods {
			names = append(names, name)
		}
		s := heals{died: make(chan death, 16)}
		// Open all the time, as the agent's is: how soon Podman tells depends on its own rhythm.
		wait, err := b.raw.deaths(ctx, func(name string) {
			select {
			case s.died <- death{name, time.Now()}:
			default: // nobody listens between rounds; removed pods' containers die too
			}
		})
		if err != nil {
			return nil, err
		}
		defer func() { cancel(); wait() }()
		for i, name := range names {
			if err := errors.Join(s.straight(ctx, b.raw, fmt.Sprint("rawheal", i)), s.kill(ctx, b.raw, pods, name)); err != nil {
				return nil, err
			}
		}
		return s.rows(), nil
	})
}

// heals are the samples of all rounds.
type heals struct {
	raw    sample // create and start of a container in a pod
	told   sample // from SIGKILL to Podman's event
	skerry sample
	died   chan death
}

// death is when Podman told of a container's end. It tells of some more than once.
type death struct {
	container string
	at        time.Time
}

// kill kills the container of one of Skerry's pods.
func (s *heals) kill(ctx context.Context, r *raw, pods *eye, name string) error {
	pods.mu.Lock()
	old := pods.pods[name].Status.ContainerStatuses[0]
	pods.mu.Unlock()
	pid, err := r.pid(ctx, strings.TrimPrefix(old.ContainerID, "podman://"))
	if err != nil {
		return err
	}
	again := pods.expect("restart of "+name, func(pods map[string]*v1.Pod) bool {
		if pods[name] == nil || len(pods[name].Status.ContainerStatuses) == 0 {
			return false
		}
		now := pods[name].Status.ContainerStatuses[0]
		return now.RestartCount > old.RestartCount && now.State.Running != nil && isReady(pods[name])
	})
	killed := time.Now()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill container: %w", err)
	}
	at, err := again(ctx)
	s.skerry = append(s.skerry, at.Sub(killed))
	return err
}

// straight does the same by hand, in a pod of that name: kills a container, waits for
// Podman's event, and makes and starts the next one.
func (s *heals) straight(ctx context.Context, r *raw, pod string) (err error) {
	if err := r.startPod(ctx, pod); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.removePod(ctx, pod)) }()
	pid, err := r.pid(ctx, pod+"-c")
	if err != nil {
		return err
	}
	killed := time.Now()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill container: %w", err)
	}
	at, err := s.awaitDeath(ctx, pod+"-c")
	if err != nil {
		return err
	}
	s.told = append(s.told, at.Sub(killed))
	begun := time.Now()
	if err := r.createContainer(ctx, pod, pod+"-c2"); err != nil {
		return err
	}
	if err := r.startContainer(ctx, pod+"-c2"); err != nil {
		return err
	}
	s.raw = append(s.raw, time.Since(begun))
	return nil
}

func (s *heals) awaitDeath(ctx context.Context, container string) (time.Time, error) {
	timeout := time.After(10 * time.Second)
	for {
		select {
		case d := <-s.died:
			if d.container == container {
				return d.at, nil
			}
		case <-timeout:
			return time.Time{}, fmt.Errorf("podman did not tell that container %s died", container)
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}

func (s heals) rows() []row {
	over := s.skerry.median() - s.raw.median()
	return []row{
		reference("Container: raw create and start in a pod", s.raw.String(), s.raw.spread()),
		reference("Container: from SIGKILL to Running again", s.skerry.String(), s.skerry.spread()),
		{"Container: over the raw start", show(over), "", "≤ " + show(aimHeal), over <= aimHeal},
		reference("— straight: until Podman's event tells of the end", s.told.String(), s.told.spread()),
	}
}
