package rollout

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/live"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Follow waits until every rollout in found is done and shows how they come on:
// live on a terminal, in kubectl's lines elsewhere. Kinds that do not roll out are
// done at once.
func Follow(ctx context.Context, s *session.Session, client *api.Client, found []target.Found) error {
	return follow(ctx, s, client, found, func(schemas.Object) error { return nil })
}

// follow is Follow, giving up when check fails on an object as it changes.
func follow(ctx context.Context, s *session.Session, client *api.Client, found []target.Found, check func(schemas.Object) error) error {
	f := &follower{s: s, client: client, screen: live.New(s.Env), check: check}
	defer f.screen.Close()
	if s.Terminal == nil {
		for _, o := range found {
			if err := f.one(ctx, o); err != nil {
				return err
			}
		}
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, o := range found {
		g.Go(func() error { return f.one(ctx, o) })
	}
	return g.Wait()
}

type follower struct {
	s      *session.Session
	client *api.Client
	screen *live.Screen
	check  func(schemas.Object) error
}

// rolls tells whether objects of this kind take time to become what they should.
func rolls(obj schemas.Object) bool {
	switch obj.(type) {
	case *appsv1.Deployment, *appsv1.ReplicaSet:
		return true
	}
	return false
}

func (f *follower) one(ctx context.Context, o target.Found) error {
	if _, pod := o.Object.(*corev1.Pod); !pod && !rolls(o.Object) {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &picture{ref: o.Ref(), label: o.Label(), pods: map[string]*corev1.Pod{}}
	var wg sync.WaitGroup
	if rolls(o.Object) {
		wg.Go(func() { f.watchPods(ctx, p, o.Object) })
	}
	err := watchObject(ctx, f.client, o.Ref(), func(obj schemas.Object) (bool, error) {
		if err := f.check(obj); err != nil {
			return true, err
		}
		st, err := statusOf(obj)
		if err != nil {
			return true, err
		}
		f.report(p, obj, st)
		return st.Done, nil
	})
	cancel()
	wg.Wait()
	if err != nil && f.s.Terminal == nil { // a terminal shows them all along
		for _, why := range p.why() {
			f.s.Warnf("%s", strings.TrimSpace(why))
		}
	}
	return err
}

// report prints a new line in a pipe, or redraws.
func (f *follower) report(p *picture, obj schemas.Object, st progress) {
	if f.s.Terminal == nil {
		if st.Message != p.last {
			f.s.Printf("%s\n", st.Message)
		}
		p.last = st.Message
		return
	}
	p.setObject(obj, st)
	p.setPod("MODIFIED", obj)
	f.screen.Set(p.label, p.lines())
}

// watchPods keeps the picture's pods up to date, to name what hinders them. It is
// an ornament: when it fails, the rollout's own status is still shown.
func (f *follower) watchPods(ctx context.Context, p *picture, obj schemas.Object) {
	var sel *metav1.LabelSelector
	switch o := obj.(type) {
	case *appsv1.Deployment:
		sel = o.Spec.Selector
	case *appsv1.ReplicaSet:
		sel = o.Spec.Selector
	}
	selector, err := metav1.LabelSelectorAsSelector(sel)
	if err != nil || selector.Empty() {
		selector = labels.Nothing()
	}
	o := metav1.ListOptions{LabelSelector: selector.String()}
	ns := schemas.Namespace(obj.GetNamespace())
	pods, rv, err := f.client.List(ctx, schemas.Pods, ns, o)
	if err != nil {
		return
	}
	for _, pod := range pods {
		p.setPod("ADDED", pod)
	}
	o.ResourceVersion = rv
	_ = f.client.Watch(ctx, schemas.Pods, ns, o, func(event string, pod schemas.Object) error {
		p.setPod(event, pod)
		if f.s.Terminal != nil {
			f.screen.Set(p.label, p.lines())
		}
		return nil
	})
}

// watchObject calls f with ref's object as it is and as it changes, until f is done.
// An object that is deleted meanwhile is an error.
func watchObject(ctx context.Context, client *api.Client, ref schemas.Ref, f func(schemas.Object) (bool, error)) error {
	o := metav1.ListOptions{FieldSelector: "metadata.name=" + string(ref.Name)}
	for {
		obj, err := client.Get(ctx, ref)
		if err != nil {
			return err
		}
		if done, err := f(obj); done || err != nil {
			return err
		}
		o.ResourceVersion = obj.GetResourceVersion()
		done := false
		err = client.Watch(ctx, ref.Resource, ref.Namespace, o, func(event string, obj schemas.Object) error {
			switch event {
			case "BOOKMARK":
				return nil
			case "DELETED":
				return fmt.Errorf("object has been deleted")
			}
			var err error
			if done, err = f(obj); err == nil && done {
				err = errDone
			}
			return err
		})
		switch {
		case done:
			return nil
		case err == nil, apierrors.IsResourceExpired(err), apierrors.IsGone(err):
			if ctx.Err() != nil {
				return ctx.Err()
			}
		default:
			return err
		}
	}
}
