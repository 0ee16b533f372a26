package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/schemas"
)

// size is one point: a Deployment of pods on nodes.
type size struct{ pods, nodes int }

func (s size) String() string { return fmt.Sprintf("%d pods on %d nodes", s.pods, s.nodes) }

// phase is one way: up or down.
type phase struct {
	took           time.Duration
	control, nodes usage // cpu: in this phase; memory: at its end
}

func (p phase) rate(n int) float64 { return float64(n) / p.took.Seconds() }

// result is what one size came to.
type result struct {
	size
	made, idle, start, stop phase // made: the nodes' registration; idle: nothing happens
	first                   time.Duration
	memory                  memories
	single                  []time.Duration
	probe                   *probe
	list                    *listing
	again                   *restarted
}

func deployment(name string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	grace := int64(1)
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: string(namespace)},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: v1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: v1.PodSpec{TerminationGracePeriodSeconds: &grace, Containers: []v1.Container{{
					Name: "c", Image: "example.org/app:1", ImagePullPolicy: v1.PullIfNotPresent,
				}}},
			},
		},
	}
}

// mostRestarted is with how many pods at most a control plane is killed and started again: with a million it was not ready
// after seven minutes.
const mostRestarted = 200_000

// measureSize brings a cluster of s.nodes up, and one Deployment of s.pods up and down.
func measureSize(ctx context.Context, binary string, s size, o options) (r result, err error) {
	r.size = s
	c, err := bring(ctx, binary, 0, o)
	if err != nil {
		return r, err
	}
	defer c.remove()
	client, err := c.client(ctx)
	if err != nil {
		return r, err
	}
	if err := r.quiet(ctx, c, client, o); err != nil {
		return r, err
	}
	watching, unwatch := context.WithCancel(ctx)
	defer unwatch()
	e, err := look(watching, client, nil)
	if err != nil {
		return r, err
	}
	if r.probe, err = startProbe(ctx, c); err != nil {
		return r, err
	}
	done := c.follow(ctx, o, e.count, e.give)
	defer done()
	patience := o.wait(s.pods)
	r.start, err = c.phase(ctx, o, s.String()+" up", func() (time.Time, time.Time, error) {
		wait := e.expect("running pods", patience, all(s.pods))
		begun := time.Now()
		if _, err := client.Create(ctx, schemas.Deployments, deployment("big", int32(s.pods))); err != nil {
			return begun, begun, err
		}
		at, err := wait(ctx)
		r.first = e.first.Sub(begun)
		return begun, at, err
	})
	if err = errors.Join(err, r.probe.stop()); err != nil {
		return r, err
	}
	if r.memory.full, err = c.both(ctx); err != nil {
		return r, err
	}
	if r.list, err = c.lists(ctx); err != nil {
		return r, err
	}
	if o.restart && s.pods <= mostRestarted {
		unwatch()
		done()
		r.again, err = c.restart(ctx, o, s.pods)
		return r, err
	}
	if err := pause.For(ctx, o.rest); err != nil || o.stay {
		return r, err
	}
	r.stop, err = c.phase(ctx, o, s.String()+" down", func() (time.Time, time.Time, error) {
		begun := time.Now()
		background := metav1.DeletePropagationBackground
		ref := schemas.Ref{Resource: schemas.Deployments, Namespace: namespace, Name: "big"}
		if err := client.Delete(ctx, ref, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
			return begun, begun, err
		}
		at, err := e.expect("end of all pods", patience, all(0))(ctx)
		return begun, at, err
	})
	return r, err
}

// quiet measures what there is before the many pods: the nodes, and single pods.
func (r *result) quiet(ctx context.Context, c *cluster, client *api.Client, o options) (err error) {
	r.made, err = c.phase(ctx, o, r.String()+" registered", func() (time.Time, time.Time, error) {
		begun := time.Now()
		err := c.simulate(ctx, r.nodes, o)
		return begun, time.Now(), err
	})
	if err != nil {
		return errors.Join(err, c.tail())
	}
	if r.idle, err = c.stand(ctx, o, r.size); err != nil {
		return err
	}
	if r.single, err = singles(ctx, client, o.singles); err != nil {
		return fmt.Errorf("single pods: %w", err)
	}
	if err := pause.For(ctx, o.rest); err != nil {
		return err
	}
	r.memory.bare = c.bare
	r.memory.idle, err = c.both(ctx)
	return err
}

// stand is what the nodes cost while nothing happens, once what their coming has set off is over.
func (c *cluster) stand(ctx context.Context, o options, s size) (phase, error) {
	if err := pause.For(ctx, o.rest); err != nil || o.idle == 0 {
		return phase{}, err
	}
	return c.phase(ctx, o, s.String()+" idle", func() (time.Time, time.Time, error) {
		begun := time.Now()
		err := pause.For(ctx, o.idle)
		return begun, time.Now(), err
	})
}

// wait is how long n pods may take.
func (o options) wait(n int) time.Duration {
	return max(o.patience, 2*time.Minute, time.Duration(n)*10*time.Millisecond)
}

// phase measures f, which returns when it began and ended.
func (c *cluster) phase(ctx context.Context, o options, name string, f func() (time.Time, time.Time, error)) (p phase, err error) {
	ps := c.processes()
	var before [2]usage
	if before[0], err = c.control.usage(); err != nil {
		return p, err
	}
	if before[1], err = sum(c.nodes); err != nil {
		return p, err
	}
	profiled := make(chan error, len(ps))
	if o.profiles == "" {
		ps = nil
	}
	for _, pr := range ps {
		go func() {
			profiled <- pr.profileTo(filepath.Join(o.profiles, name+" "+pr.name+".cpu"), "profile", o.seconds)
		}()
	}
	begun, ended, err := f()
	if err != nil {
		return p, err
	}
	p.took = ended.Sub(begun)
	if p.control, err = c.control.usage(); err != nil {
		return p, err
	}
	if p.nodes, err = sum(c.nodes); err != nil {
		return p, err
	}
	p.control.cpu -= before[0].cpu
	p.nodes.cpu -= before[1].cpu
	for range ps {
		if err := <-profiled; err != nil {
			return p, err
		}
	}
	for _, pr := range ps {
		for suffix, kind := range map[string]string{".heap": "heap?gc=1", ".memory": "heap?gc=1&debug=1", ".goroutines": "goroutine?debug=1"} {
			if err := pr.profileTo(filepath.Join(o.profiles, name+" "+pr.name+suffix), kind, 0); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

// singles starts single pods, one after the other, and returns how long each took from
// the request until a watcher was told that it runs.
func singles(ctx context.Context, client *api.Client, n int) ([]time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var out []time.Duration
	if n == 0 {
		return nil, nil
	}
	e, err := look(ctx, client, nil)
	if err != nil {
		return nil, err
	}
	for i := range n {
		name := fmt.Sprintf("single-%d", i)
		wait := e.expect("running pod", time.Minute, all(1))
		pod := &v1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: string(namespace)}, Spec: deployment("x", 1).Spec.Template.Spec}
		begun := time.Now()
		if _, err := client.Create(ctx, schemas.Pods, pod); err != nil {
			return nil, err
		}
		at, err := wait(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, at.Sub(begun))
		if err := client.Delete(ctx, schemas.RefOf(schemas.Pods, pod), metav1.DeleteOptions{}); err != nil {
			return nil, err
		}
		if _, err := e.expect("end of the pod", time.Minute, all(0))(ctx); err != nil {
			return nil, err
		}
	}
	return out, nil
}
