package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"syscall"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/schemas"
)

// restarted is what became of a bus and control plane that was killed, in times since it was started again.
type restarted struct {
	ready time.Duration // until it says so
	all   time.Duration // until a list has all pods
	next  time.Duration // until a pod that was made then runs
	usage               // by then
}

// restart kills bus and control plane and starts them again, with pods of the cluster on the nodes. Nobody may
// need the connections that there were: they come back, watches do not.
func (c *cluster) restart(ctx context.Context, o options, pods int) (r *restarted, err error) {
	if err := c.control.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		return nil, err
	}
	<-c.control.ended
	begun := time.Now()
	if err := c.startControl(o); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.wait(pods))
	defer cancel()
	ctx, give := context.WithCancelCause(ctx)
	defer give(nil)
	defer c.follow(ctx, o, func() (int, int) { return pods, pods }, give)()
	if err := c.control.ready(ctx); err != nil {
		return nil, err
	}
	r = &restarted{ready: time.Since(begun)}
	client, err := c.client(ctx)
	if err != nil {
		return nil, err
	}
	if err := until(ctx, "a list of all pods", func() bool { return count(ctx, client) == pods }); err != nil {
		return nil, err
	}
	r.all = time.Since(begun)
	pod := &v1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "after", Namespace: string(namespace)}, Spec: deployment("x", 1).Spec.Template.Spec}
	ref := schemas.RefOf(schemas.Pods, pod)
	if _, err := client.Create(ctx, schemas.Pods, pod); err != nil {
		return nil, err
	}
	if err := until(ctx, "another pod to run", func() bool {
		obj, err := client.Get(ctx, ref)
		return err == nil && obj.(*v1.Pod).Status.Phase == v1.PodRunning
	}); err != nil {
		return nil, err
	}
	r.next = time.Since(begun)
	if n := count(ctx, client); n != pods+1 {
		return nil, fmt.Errorf("%d pods after a restart, want %d", n, pods+1)
	}
	r.usage, err = c.control.usage()
	return r, err
}

// until asks again and again; the time that it tells is right to 20 ms.
func until(ctx context.Context, what string, done func() bool) error {
	for !done() {
		if err := pause.For(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		}
	}
	return nil
}

// count is how many pods there are, or -1: the apiserver's own count of what a page of one leaves out.
func count(ctx context.Context, client *api.Client) int {
	reply, err := client.Do(ctx, &api.Request{Verb: api.VerbList, Resource: schemas.Pods, Namespace: namespace, List: &metav1.ListOptions{Limit: 1}})
	if err != nil {
		return -1
	}
	_, rest, more := bytes.Cut(reply.Body, []byte(`"remainingItemCount":`))
	if !more {
		return bytes.Count(reply.Body, []byte(`"phase":`))
	}
	digits := rest[:max(bytes.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }), 0)]
	n, err := strconv.Atoi(string(digits))
	if err != nil {
		return -1
	}
	return n + 1
}

func (r *restarted) row() row {
	return row{
		what:   "— bus and control plane killed and started again",
		result: fmt.Sprintf("ready after %s, all pods listed after %s, another pod Running after %s", show(r.ready), show(r.all), show(r.next)),
		more:   fmt.Sprintf("%.1f CPU-s, %s (peak %s)", r.cpu.Seconds(), mib(r.rss), mib(r.peak)),
	}
}
