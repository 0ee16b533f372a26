package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// crowd is the listing of many pods, which no node runs: how many can be listed does
// not depend on how fast they come to run.
type crowd struct {
	pods    int
	made    time.Duration
	control usage // before the list: processor time for making them, memory
	*listing
}

const (
	atOnce  = 500 // pods in one request
	writers = 4
)

// measureList makes n pods that no scheduler places, and lists them.
func measureList(ctx context.Context, binary string, n int, o options) (r crowd, err error) {
	r.pods = n
	c, err := bring(ctx, binary, 0, o)
	if err != nil {
		return r, err
	}
	defer c.remove()
	client, err := c.client(ctx)
	if err != nil {
		return r, err
	}
	before, err := c.control.usage()
	if err != nil {
		return r, err
	}
	begun := time.Now()
	g, making := errgroup.WithContext(ctx)
	g.SetLimit(writers)
	for first := 0; first < n && making.Err() == nil; first += atOnce {
		g.Go(func() error { return makePods(making, client, first, min(atOnce, n-first)) })
		if first%10_000 == 0 {
			o.say("%d of %d pods are made", first, n)
		}
	}
	if err := g.Wait(); err != nil {
		return r, err
	}
	r.made = time.Since(begun)
	if r.control, err = c.control.usage(); err != nil {
		return r, err
	}
	r.control.cpu -= before.cpu
	r.listing, err = c.lists(ctx)
	return r, err
}

// makePods makes n pods of one template, the first of which has the number first.
func makePods(ctx context.Context, client *api.Client, first, n int) error {
	template := deployment("big", 1).Spec.Template
	template.Spec.SchedulerName, template.Spec.AutomountServiceAccountToken = "nobody", new(bool) // a token's volume has a name of its own in each pod
	pods := make([]schemas.Object, n)
	for i := range pods {
		pods[i] = &v1.Pod{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("big-%07d", first+i), Namespace: string(namespace), Labels: template.Labels},
			Spec:       template.Spec,
		}
	}
	briefs, err := client.CreateMany(ctx, schemas.Pods, namespace, pods)
	if err != nil {
		return err
	}
	for _, b := range briefs {
		if err := b.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (r crowd) rows() []row {
	return []row{{
		what: fmt.Sprintf("`skerry get pods -A` of %d pods that no node runs", r.pods), result: r.listing.String(),
		more: fmt.Sprintf("%s, of %s; %.1f KiB a pod", r.listing.cost(), mib(r.control.rss), float64(r.control.rss)/1024/float64(r.pods)),
		aim:  r.listing.aim(), met: r.listing.meets(),
	}}
}

func (l *listing) String() string {
	return fmt.Sprintf("first row after %s, all %d after %s", show(l.first), l.rows, show(l.all))
}

func (l *listing) cost() string {
	return fmt.Sprintf("command %s; bus and control plane %.2f CPU-s, %s more at most", mib(l.memory), l.control.cpu.Seconds(), mib(l.control.peak))
}

// aim is what a list should take: of 100,000 pods at most two seconds.
func (l *listing) aim() string {
	if l.rows < 100_000 {
		return "first < 100 ms"
	}
	return "first < 100 ms, all < 2 s"
}

func (l *listing) meets() bool { return l.first < 100*time.Millisecond && l.all < 2*time.Second }
