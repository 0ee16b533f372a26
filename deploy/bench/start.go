package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// deployment is what is applied. Raw containers are made alike: createContainer.
func deployment(name string, replicas int) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: %[1]s
spec:
  replicas: %[2]d
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: c
        image: %[3]s
        imagePullPolicy: Never
        resources:
          requests: {cpu: 10m, memory: 16Mi}
          limits: {memory: 64Mi}
`, name, replicas, image)
}

// aimRatio is how much longer than straight through Podman's API a start may take.
const aimRatio = 1.15

// start measures from `apply` to Running, in turns with the raw API.
func (b *bench) start(ctx context.Context) ([]row, error) {
	return b.inCluster(ctx, func(ctx context.Context, c *cluster, client *api.Client) ([]row, error) {
		if _, err := b.turns(ctx, c, client, 1, 1); err != nil { // warm, like a host in use
			return nil, err
		}
		one, err := b.turns(ctx, c, client, 1, b.single)
		if err != nil {
			return nil, err
		}
		many, err := b.turns(ctx, c, client, 40, b.many)
		if err != nil {
			return nil, err
		}
		return append(one.rows("1 pod"), many.rows("40 pods")...), nil
	})
}

// inCluster runs f on a fresh cluster with a client, and removes it.
func (b *bench) inCluster(ctx context.Context, f func(context.Context, *cluster, *api.Client) ([]row, error)) (rows []row, err error) {
	c, err := b.up(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.tail())
		}
		err = errors.Join(err, c.down())
	}()
	client, err := c.client(ctx)
	if err != nil {
		return nil, err
	}
	return f(ctx, c, client)
}

// starts are the samples of some rounds.
type starts struct {
	raw, skerry             sample // until all run
	applied, made, assigned sample // of skerry: until the command returned, pods were seen, all had a node
	cost, rawCost, service  sample // CPU time: of skerry, of Podman's service both ways
}

// turns starts n pods both ways, rounds times, taking turns at being first.
func (b *bench) turns(ctx context.Context, c *cluster, client *api.Client, n, rounds int) (starts, error) {
	var s starts
	for round := range rounds {
		ways := []func() error{
			func() error { return s.straight(ctx, b.machine, n) },
			func() error { return s.applyOne(ctx, c, client, fmt.Sprintf("app%d-%d", n, round), n) },
		}
		if round%2 == 1 {
			ways[0], ways[1] = ways[1], ways[0]
		}
		if err := errors.Join(ways[0](), ways[1]()); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *starts) straight(ctx context.Context, m *machine, n int) error {
	before, err := cpuTimes(m.podman.Pid())
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := each(ctx, n, m.raw.startPod); err != nil {
		return err
	}
	s.raw = append(s.raw, time.Since(begun))
	after, err := cpuTimes(m.podman.Pid())
	if err != nil {
		return err
	}
	s.rawCost = append(s.rawCost, after[0]-before[0])
	return each(ctx, n, m.raw.removePod)
}

// applyOne applies a Deployment of n pods, waits for them, and deletes it.
func (s *starts) applyOne(ctx context.Context, c *cluster, client *api.Client, name string, n int) error {
	ctx, cancel := context.WithCancel(ctx)
	pods := watch(ctx, client)
	defer func() { cancel(); <-pods.done }()
	made := pods.expect("pods", count(n, func(*v1.Pod) bool { return true }))
	assigned := pods.expect("assigned pods", count(n, func(p *v1.Pod) bool { return p.Spec.NodeName != "" }))
	running := pods.expect("ready pods", count(n, isReady))
	before, err := cpuTimes(c.cmd.Process.Pid, c.m.podman.Pid())
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := c.apply(ctx, deployment(name, n)); err != nil {
		return err
	}
	s.applied = append(s.applied, time.Since(begun))
	for _, stage := range []struct {
		wait func(context.Context) (time.Time, error)
		into *sample
	}{{made, &s.made}, {assigned, &s.assigned}, {running, &s.skerry}} {
		at, err := stage.wait(ctx)
		if err != nil {
			return err
		}
		*stage.into = append(*stage.into, at.Sub(begun))
	}
	after, err := cpuTimes(c.cmd.Process.Pid, c.m.podman.Pid())
	if err != nil {
		return err
	}
	s.cost, s.service = append(s.cost, after[0]-before[0]), append(s.service, after[1]-before[1])
	return remove(ctx, client, pods, name)
}

// remove deletes a Deployment and waits until its pods are gone.
func remove(ctx context.Context, client *api.Client, pods *eye, name string) error {
	background := metav1.DeletePropagationBackground
	ref := schemas.Ref{Resource: schemas.Deployments, Namespace: namespace, Name: schemas.Name(name)}
	if err := client.Delete(ctx, ref, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		return err
	}
	_, err := pods.expect("end of all pods", count(0, nil))(ctx)
	return err
}

// apply runs `skerry apply` on a file, as a person would.
func (c *cluster) apply(ctx context.Context, manifest string) error {
	path := c.m.path("manifest.yaml")
	if err := os.WriteFile(path, []byte(manifest), 0o644); err != nil {
		return err
	}
	return c.skerry(ctx, "apply", "-f", path)
}

func (s starts) rows(what string) []row {
	ratio := s.skerry.median().Seconds() / s.raw.median().Seconds()
	var least, most float64
	for i := range s.raw {
		r := s.skerry[i].Seconds() / s.raw[i].Seconds()
		least, most = min(r, least), max(r, most)
		if i == 0 {
			least = r
		}
	}
	return []row{
		reference(what+": straight through Podman's API", s.raw.String(), s.raw.spread()),
		reference(what+": from `apply` to Running", s.skerry.String(), s.skerry.spread()),
		{what + ": ratio", fmt.Sprintf("%.2f", ratio), fmt.Sprintf("%.2f–%.2f", least, most), fmt.Sprintf("≤ %.2f", aimRatio), ratio <= aimRatio},
		reference("— until the `apply` command has ended", s.applied.String(), s.applied.spread()),
		reference("— until a watcher saw the pods", s.made.String(), s.made.spread()),
		reference("— until all of them had a node", s.assigned.String(), s.assigned.spread()),
		reference("— CPU time of Skerry", s.cost.String(), s.cost.spread()),
		reference("— CPU time of Podman's service", s.service.String()+", straight "+s.rawCost.String(), s.service.spread()+", straight "+s.rawCost.spread()),
	}
}
