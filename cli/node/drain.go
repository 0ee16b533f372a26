package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/remove"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Drain is `skerry drain`.
type Drain struct {
	nodes
	IgnoreDaemonsets   bool          `help:"Leave pods of DaemonSets where they are."`
	DeleteEmptydirData bool          `help:"Also take pods whose emptyDir data is lost with them."`
	Force              bool          `help:"Also take pods that nobody makes again."`
	GracePeriod        int64         `help:"Seconds that a pod has to stop; -1 is the pod's own." default:"-1" placeholder:"SECONDS"`
	Timeout            time.Duration `help:"Give up after this long; 0 is never." default:"0s" placeholder:"DURATION"`
	PodSelector        string        `help:"Only pods whose labels match." placeholder:"LABELS"`
}

// Run implements the command.
func (c *Drain) Run(ctx context.Context, s *session.Session) error {
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	found, err := c.fetch(ctx, s, client)
	if err != nil {
		return err
	}
	// All nodes are closed first: a pod must not move to one that is drained next.
	for _, n := range found {
		if err := cordon(ctx, s, client, n, true, c.DryRun); err != nil {
			return err
		}
	}
	var errs []error
	for _, n := range found {
		err := session.Within(ctx, c.Timeout, func(ctx context.Context) error { return c.drain(ctx, s, client, n) })
		if err != nil {
			errs = append(errs, fmt.Errorf("unable to drain node %q: %w", n.Name, err))
			continue
		}
		s.Printf("node/%s drained%s\n", n.Name, c.DryRun.Suffix())
	}
	return errors.Join(errs...)
}

func (c *Drain) drain(ctx context.Context, s *session.Session, client *api.Client, n *corev1.Node) error {
	objs, _, err := client.List(ctx, schemas.Pods, "", metav1.ListOptions{FieldSelector: "spec.nodeName=" + n.Name, LabelSelector: c.PodSelector})
	if err != nil {
		return err
	}
	var pods []*corev1.Pod
	for _, o := range objs {
		if p, ok := o.(*corev1.Pod); ok {
			pods = append(pods, p)
		}
	}
	v := judge(pods, rules{ignoreDaemonSets: c.IgnoreDaemonsets, deleteEmptyDir: c.DeleteEmptydirData, force: c.Force})
	if len(v.refusals) > 0 {
		return errors.New(strings.Join(v.refusals, ", "))
	}
	for _, w := range v.warnings {
		s.Warnf("%s", w)
	}
	kind := s.Table.ByResource(schemas.Pods)
	for _, p := range v.evict {
		s.Printf("evicting pod %s/%s%s\n", p.Namespace, p.Name, c.DryRun.Suffix())
	}
	if c.DryRun != session.DryRunNone {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(evicting)
	var out sync.Mutex
	for _, p := range v.evict {
		g.Go(func() error {
			if err := c.evict(ctx, s, client, p); err != nil {
				return err
			}
			if err := remove.Gone(ctx, client, target.Found{Kind: kind, Object: p}); err != nil {
				return err
			}
			out.Lock()
			defer out.Unlock()
			s.Printf("pod/%s evicted\n", p.Name)
			return nil
		})
	}
	return g.Wait()
}

const (
	// evicting is how many pods are evicted at once.
	evicting = 16
	// evictAgain is the pause when an eviction is not allowed just now, as in kubectl.
	evictAgain = 5 * time.Second
)

// evict asks for the pod to go, again and again while it is not allowed just now.
func (c *Drain) evict(ctx context.Context, s *session.Session, client *api.Client, p *corev1.Pod) error {
	e := policyv1.Eviction{
		TypeMeta:      metav1.TypeMeta{APIVersion: "policy/v1", Kind: "Eviction"},
		ObjectMeta:    metav1.ObjectMeta{Name: p.Name, Namespace: p.Namespace},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &p.UID}},
	}
	if c.GracePeriod >= 0 {
		e.DeleteOptions.GracePeriodSeconds = &c.GracePeriod
	}
	for {
		err := session.Send(ctx, client, &api.Request{
			Verb: api.VerbCreate, Resource: schemas.Pods, Namespace: schemas.Namespace(p.Namespace),
			Name: schemas.Name(p.Name), Subresource: "eviction",
		}, e)
		switch {
		case err == nil, apierrors.IsNotFound(err), apierrors.IsConflict(err):
			return nil // a conflict: it is another pod by now
		case !apierrors.IsTooManyRequests(err):
			return err
		}
		fmt.Fprintf(s.Stderr, "error when evicting pods/%q -n %q (will retry after %s): %v\n", p.Name, p.Namespace, evictAgain, err)
		select {
		case <-time.After(evictAgain):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
