package apiserver_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// watching is a watch that runs until the test ends.
type watching struct {
	events chan string
	rv     chan string
	done   chan error
}

func startWatch(t testing.TB, c *api.Client, o metav1.ListOptions) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &watching{events: make(chan string, 1000), rv: make(chan string, 1000), done: make(chan error, 1)}
	var running sync.WaitGroup
	running.Go(func() {
		w.done <- c.Watch(ctx, schemas.ConfigMaps, "default", o, func(what string, obj schemas.Object) error {
			line := what + " " + obj.GetName()
			if _, end := obj.GetAnnotations()[metav1.InitialEventsAnnotationKey]; end {
				line += "end"
			}
			w.events <- line
			w.rv <- obj.GetResourceVersion()
			return nil
		})
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return w
}

func (w *watching) expect(t testing.TB, want ...string) (rv string) {
	t.Helper()
	for _, one := range want {
		select {
		case got := <-w.events:
			rv = <-w.rv
			if got != one {
				t.Fatalf("got %q, want %q", got, one)
			}
		case err := <-w.done:
			t.Fatalf("the watch ended (%v), want %q", err, one)
		case <-time.After(10 * time.Second):
			t.Fatalf("nothing came, want %q", one)
		}
	}
	return rv
}

func TestWatch(t *testing.T) {
	_, c := one(t)
	must(c.Create(ctx(t), schemas.ConfigMaps, configMap("a")))(t)
	l, err := list(t, c, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	from := startWatch(t, c, metav1.ListOptions{ResourceVersion: l.ResourceVersion})
	all := startWatch(t, c, metav1.ListOptions{})
	all.expect(t, "ADDED a")
	must(c.Create(ctx(t), schemas.ConfigMaps, configMap("b", "k", "1")))(t)
	must(c.Update(ctx(t), schemas.ConfigMaps, configMap("b", "k", "2"), ""))(t)
	if err := c.Delete(ctx(t), cmRef("a"), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	rv := from.expect(t, "ADDED b", "MODIFIED b", "DELETED a")
	all.expect(t, "ADDED b", "MODIFIED b", "DELETED a")
	// Going on behind the deletion shows only what comes after it.
	must(c.Create(ctx(t), schemas.ConfigMaps, configMap("c")))(t)
	startWatch(t, c, metav1.ListOptions{ResourceVersion: rv}).expect(t, "ADDED c")
	startWatch(t, c, metav1.ListOptions{ResourceVersion: "0"}).expect(t, "ADDED b", "ADDED c")
}

func TestWatchSelectorTransitions(t *testing.T) {
	_, c := one(t)
	w := startWatch(t, c, metav1.ListOptions{LabelSelector: "on=yes", SendInitialEvents: ptr(true), AllowWatchBookmarks: true,
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan})
	w.expect(t, "BOOKMARK end")
	m := configMap("a")
	must(c.Create(ctx(t), schemas.ConfigMaps, m))(t)
	m.Labels = map[string]string{"on": "yes"}
	must(c.Update(ctx(t), schemas.ConfigMaps, m, ""))(t)
	m.Data = map[string]string{"k": "1"}
	must(c.Update(ctx(t), schemas.ConfigMaps, m, ""))(t)
	m.Labels = nil
	last := must(c.Update(ctx(t), schemas.ConfigMaps, m, ""))(t)
	if rv := w.expect(t, "ADDED a", "MODIFIED a", "DELETED a"); rv != last.GetResourceVersion() {
		t.Errorf("deleted at %s, want %s", rv, last.GetResourceVersion())
	}
}

func TestWatchEnds(t *testing.T) {
	_, c := one(t)
	w := startWatch(t, c, metav1.ListOptions{ResourceVersion: "0", TimeoutSeconds: ptr(int64(1)), AllowWatchBookmarks: true})
	w.expect(t, "BOOKMARK ")
	select {
	case err := <-w.done:
		if err != nil {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on")
	}
}

func TestWatchTooOld(t *testing.T) {
	cl := newCluster(t)
	stop := cl.serve(t, "a")
	c := cl.client(t, "admin")
	old := must(c.Create(ctx(t), schemas.ConfigMaps, configMap("a")))(t)
	must(c.Create(ctx(t), schemas.ConfigMaps, configMap("b")))(t)
	stop()
	cl.serve(t, "b")
	err := <-startWatch(t, c, metav1.ListOptions{ResourceVersion: old.GetResourceVersion()}).done
	if !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		t.Errorf("got %v, want 410", err)
	}
	for _, o := range []metav1.ListOptions{{ResourceVersion: "x"}, {SendInitialEvents: ptr(true)}, {LabelSelector: "a in"}} {
		if err := <-startWatch(t, c, o).done; !apierrors.IsBadRequest(err) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// informer keeps a copy as client-go's informers do: list, watch from there, and list
// again when told so.
func informer(ctx context.Context, c *api.Client, changed func(map[string]string)) error {
	for ctx.Err() == nil {
		objs, rv, err := c.List(ctx, schemas.ConfigMaps, "default", metav1.ListOptions{})
		if err != nil {
			continue
		}
		all := map[string]string{}
		for _, o := range objs {
			all[o.GetName()] = o.GetResourceVersion()
		}
		changed(all)
		for ctx.Err() == nil {
			err := c.Watch(ctx, schemas.ConfigMaps, "default", metav1.ListOptions{ResourceVersion: rv}, func(what string, o schemas.Object) error {
				rv = o.GetResourceVersion()
				if what == "DELETED" {
					delete(all, o.GetName())
				} else {
					all[o.GetName()] = rv
				}
				changed(all)
				return nil
			})
			if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
				break
			}
		}
	}
	return ctx.Err()
}

func TestInformerSurvivesRestarts(t *testing.T) {
	cl := newCluster(t)
	stop := cl.serve(t, "a")
	c := cl.client(t, "admin")
	watcher := cl.client(t, "admin")
	var mu sync.Mutex
	seen := map[string]string{}
	wctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		_ = informer(wctx, watcher, func(all map[string]string) {
			mu.Lock()
			defer mu.Unlock()
			seen = map[string]string{}
			for k, v := range all {
				seen[k] = v
			}
		})
	})
	defer func() { cancel(); running.Wait() }()
	fill(t, c, 5)
	stop()
	stop = cl.serve(t, "b")
	if err := c.Delete(ctx(t), cmRef("m1"), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	stop()
	cl.bus.Restart(t)
	cl.serve(t, "c")
	eventually(t, func() error {
		_, err := c.Create(ctx(t), schemas.ConfigMaps, configMap("last"))
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	})
	want := must(c.Get(ctx(t), cmRef("last")))(t)
	eventually(t, func() error {
		mu.Lock()
		defer mu.Unlock()
		if len(seen) != 5 || seen["last"] != want.GetResourceVersion() || seen["m1"] != "" {
			return errors.New("not caught up")
		}
		return nil
	})
}
