package apiserver_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// The bus hands requests to either apiserver, so each step may meet the other one.
func TestReplicasAnswerAlike(t *testing.T) {
	cl := newCluster(t)
	cl.serve(t, "a")
	cl.serve(t, "b")
	c := cl.client(t, "admin")
	for i := range 60 {
		name := fmt.Sprintf("m%d", i)
		must(c.Create(ctx(t), schemas.ConfigMaps, configMap(name)))(t)
		must(c.Get(ctx(t), cmRef(name)))(t)
		l, err := list(t, c, metav1.ListOptions{})
		if err != nil || len(l.Items) != 1 {
			t.Fatalf("%d listed, %v", len(l.Items), err)
		}
		changed := as[*v1.ConfigMap](t, must(c.Update(ctx(t), schemas.ConfigMaps, configMap(name, "k", "v"), ""))(t))
		if got := must(c.Get(ctx(t), cmRef(name)))(t); got.GetResourceVersion() != changed.ResourceVersion {
			t.Fatalf("read %s after %s", got.GetResourceVersion(), changed.ResourceVersion)
		}
		ns := &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns" + strconv.Itoa(i)}}
		must(c.Create(ctx(t), schemas.Namespaces, ns))(t)
		in := configMap("x")
		in.Namespace = ns.Name
		must(c.Create(ctx(t), schemas.ConfigMaps, in))(t)
		if err := c.Delete(ctx(t), cmRef(name), metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		gone(t, c, cmRef(name))
	}
}

func TestConcurrentIncrements(t *testing.T) {
	cl := newCluster(t)
	cl.serve(t, "a")
	cl.serve(t, "b")
	first := cl.client(t, "admin")
	must(first.Create(ctx(t), schemas.ConfigMaps, configMap("n", "n", "0")))(t)
	const workers, each = 8, 10
	var all sync.WaitGroup
	for range workers {
		c := cl.client(t, "admin")
		all.Go(func() {
			for range each {
				if err := increment(t, c); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if m := as[*v1.ConfigMap](t, must(first.Get(ctx(t), cmRef("n")))(t)); m.Data["n"] != strconv.Itoa(workers*each) {
		t.Errorf("counted %s, want %d", m.Data["n"], workers*each)
	}
}

// increment is a client's read, change, write, and again on a conflict.
func increment(t testing.TB, c *api.Client) error {
	for {
		obj, err := c.Get(ctx(t), cmRef("n"))
		if err != nil {
			return err
		}
		m := as[*v1.ConfigMap](t, obj)
		n, err := strconv.Atoi(m.Data["n"])
		if err != nil {
			return err
		}
		m.Data["n"] = strconv.Itoa(n + 1)
		if _, err = c.Update(ctx(t), schemas.ConfigMaps, m, ""); !apierrors.IsConflict(err) {
			return err
		}
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	cl := newCluster(t)
	stop := cl.serve(t, "a")
	c := cl.client(t, "admin")
	before := must(c.Create(ctx(t), schemas.ConfigMaps, configMap("a", "k", "1")))(t)
	stop()
	cl.bus.Restart(t)
	cl.serve(t, "b")
	eventually(t, func() error {
		got, err := c.Get(ctx(t), cmRef("a"))
		if err == nil && (got.GetUID() != before.GetUID() || got.GetResourceVersion() != before.GetResourceVersion()) {
			t.Fatalf("got %+v", got)
		}
		return err
	})
	if _, err := c.Update(ctx(t), schemas.ConfigMaps, before, ""); err != nil {
		t.Error(err)
	}
}

// The bus restarts while clients write: what was acknowledged is there.
func TestBusRestartsUnderWrites(t *testing.T) {
	cl := newCluster(t)
	cl.serve(t, "a")
	cl.serve(t, "b")
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(acknowledged) }
	stopWriting := make(chan struct{})
	var all sync.WaitGroup
	for w := range 4 {
		c := cl.client(t, "admin")
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stopWriting:
					return
				default:
				}
				name := fmt.Sprintf("w%d-%d", w, i)
				if _, err := c.Create(ctx(t), schemas.ConfigMaps, configMap(name)); err == nil {
					mu.Lock()
					acknowledged[name] = true
					mu.Unlock()
				}
			}
		})
	}
	more := func(n int) {
		target := count() + n
		eventually(t, func() error {
			if count() < target {
				return fmt.Errorf("%d of %d writes", count(), target)
			}
			return nil
		})
	}
	more(20)
	cl.bus.Restart(t)
	more(20)
	close(stopWriting)
	all.Wait()
	objs, _, err := cl.client(t, "admin").List(ctx(t), schemas.ConfigMaps, "default", metav1.ListOptions{Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objs {
		delete(acknowledged, o.GetName())
	}
	if len(acknowledged) > 0 {
		t.Errorf("lost: %v", acknowledged)
	}
}
