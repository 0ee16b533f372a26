package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/services/agent/network"
)

// pods is a file of n pods, for both commands.
func pods(prefix string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `apiVersion: v1
kind: Pod
metadata: {name: %s%d}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: %s
    imagePullPolicy: Never
    resources:
      requests: {cpu: 10m, memory: 16Mi}
      limits: {memory: 64Mi}
---
`, prefix, i, image)
	}
	return b.String()
}

// play measures from the command to running pods, in turns with `podman kube play` of the same file.
func (b *bench) play(ctx context.Context) ([]row, error) {
	return b.inCluster(ctx, func(ctx context.Context, c *cluster, client *api.Client) ([]row, error) {
		if _, err := b.plays(ctx, c, client, 1, 1); err != nil { // warm, like a host in use
			return nil, err
		}
		var rows []row
		for _, round := range []struct{ pods, rounds int }{{1, b.single}, {20, b.many}} {
			p, err := b.plays(ctx, c, client, round.pods, round.rounds)
			if err != nil {
				return nil, err
			}
			rows = append(rows, p.rows(round.pods)...)
		}
		return rows, nil
	})
}

// plays are the samples of some rounds.
type plays struct{ podman, skerry sample }

func (b *bench) plays(ctx context.Context, c *cluster, client *api.Client, n, rounds int) (plays, error) {
	var p plays
	for round := range rounds {
		path := b.path(fmt.Sprintf("pods%d-%d.yaml", n, round))
		if err := os.WriteFile(path, []byte(pods(fmt.Sprintf("p%d-%d-", n, round), n)), 0o644); err != nil {
			return p, err
		}
		ways := []func() error{
			func() error { return p.straight(ctx, b.machine, path) },
			func() error { return p.apply(ctx, c, client, path, n) },
		}
		if round%2 == 1 {
			ways[0], ways[1] = ways[1], ways[0]
		}
		if err := errors.Join(ways[0](), ways[1]()); err != nil {
			return p, err
		}
	}
	return p, nil
}

// straight has Podman play the file. The command returns when the containers run.
func (p *plays) straight(ctx context.Context, m *machine, path string) error {
	podman := m.path("bin", "podman")
	begun := time.Now()
	if err := command(podman, "kube", "play", "--network", network.Name, path); err != nil {
		return err
	}
	p.podman = append(p.podman, time.Since(begun))
	return errors.Join(command(podman, "kube", "down", path), ctx.Err())
}

// apply applies the file, waits until all pods are ready, and deletes them.
func (p *plays) apply(ctx context.Context, c *cluster, client *api.Client, path string, n int) error {
	ctx, cancel := context.WithCancel(ctx)
	seen := watch(ctx, client)
	defer func() { cancel(); <-seen.done }()
	running := seen.expect("ready pods", count(n, isReady))
	begun := time.Now()
	if err := c.skerry(ctx, "apply", "-f", path); err != nil {
		return err
	}
	at, err := running(ctx)
	if err != nil {
		return err
	}
	p.skerry = append(p.skerry, at.Sub(begun))
	if err := c.skerry(ctx, "delete", "-f", path); err != nil {
		return err
	}
	_, err = seen.expect("end of all pods", count(0, func(*v1.Pod) bool { return true }))(ctx)
	return err
}

func (p plays) rows(n int) []row {
	what := fmt.Sprintf("%d pods", n)
	if n == 1 {
		what = "1 pod"
	}
	perSecond := func(s sample) string { return fmt.Sprintf("%.1f/s", float64(n)/s.median().Seconds()) }
	return []row{
		reference(what+": `podman kube play`", p.podman.String(), p.podman.spread()),
		reference(what+": `skerry apply` of the same file, to Running", p.skerry.String(), p.skerry.spread()),
		reference("— pods per second, `skerry apply` / `podman kube play`", perSecond(p.skerry)+" / "+perSecond(p.podman), ""),
	}
}
