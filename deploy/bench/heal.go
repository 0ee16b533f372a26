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
		s := heals{died: make(chan time.Time, 1)}
		// Open all the time, as the agent's is: how soon Podman tells depends on its own rhythm.
		wait, err := b.raw.deaths(ctx, func(name string) {
			if name == rawHeal+"-c" {
				s.died <- time.Now()
			}
		})
		if err != nil {
			return nil, err
		}
		defer func() { cancel(); wait() }()
		for _, name := range names {
			if err := errors.Join(s.straight(ctx, b.raw), s.kill(ctx, b.raw, pods, name)); err != nil {
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
	died   chan time.Time // when Podman told of the end of the raw pod's container
}

// rawHeal is the raw pod's name.
const rawHeal = "rawheal"

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

// straight does the same by hand: kills a container, waits for Podman's event, and
// makes and starts the next one.
func (s *heals) straight(ctx context.Context, r *raw) (err error) {
	if err := r.startPod(ctx, rawHeal); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.removePod(ctx, rawHeal)) }()
	pid, err := r.pid(ctx, rawHeal+"-c")
	if err != nil {
		return err
	}
	killed := time.Now()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill container: %w", err)
	}
	select {
	case at := <-s.died:
		s.told = append(s.told, at.Sub(killed))
	case <-time.After(10 * time.Second):
		return errors.New("podman did not tell that a container died")
	case <-ctx.Done():
		return ctx.Err()
	}
	begun := time.Now()
	if err := r.createContainer(ctx, rawHeal, rawHeal+"-c2"); err != nil {
		return err
	}
	if err := r.startContainer(ctx, rawHeal+"-c2"); err != nil {
		return err
	}
	s.raw = append(s.raw, time.Since(begun))
	return nil
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
