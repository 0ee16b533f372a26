// Package conformance runs programs of Kubernetes' users against the cluster that
// KUBECONFIG names. deploy/e2e/kubectl starts it on a lab.
package conformance

import (
	"context"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const patience = 60 * time.Second

func config(t testing.TB) *rest.Config {
	t.Helper()
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		t.Fatal("KUBECONFIG names no cluster: run the tests of deploy/e2e/kubectl")
	}
	c, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func clientset(t testing.TB) *kubernetes.Clientset {
	t.Helper()
	c, err := kubernetes.NewForConfig(config(t))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func contextOf(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// namespace makes one that is named like the test.
func namespace(t testing.TB, c kubernetes.Interface) string {
	t.Helper()
	name := strings.ToLower(t.Name())
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := c.CoreV1().Namespaces().Create(contextOf(t), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return name
}

func configMap(name string, data ...string) *corev1.ConfigMap {
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{}}
	for i := 0; i+1 < len(data); i += 2 {
		m.Data[data[i]] = data[i+1]
	}
	return m
}

// TestTyped: typed clients, which send protobuf and read JSON.
func TestTyped(t *testing.T) {
	c, ctx := clientset(t), contextOf(t)
	maps := c.CoreV1().ConfigMaps(namespace(t, c))
	made, err := maps.Create(ctx, configMap("a", "k", "v"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	made.Data["k"] = "w"
	next, err := maps.Update(ctx, made, metav1.UpdateOptions{})
	if err != nil || next.ResourceVersion == made.ResourceVersion {
		t.Fatalf("update: %v", err)
	}
	if _, err := maps.Update(ctx, made, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("stale update: %v", err)
	}
	applied, err := maps.Apply(ctx, corev1ac.ConfigMap("a", made.Namespace).WithData(map[string]string{"x": "y"}), metav1.ApplyOptions{FieldManager: "test"})
	if err != nil || applied.Data["x"] != "y" || applied.Data["k"] != "w" || len(applied.ManagedFields) == 0 {
		t.Errorf("apply: %+v, %v", applied, err)
	}
	if _, err := maps.Patch(ctx, "a", types.StrategicMergePatchType, []byte(`{"data":{"k":null}}`), metav1.PatchOptions{}); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"b", "c", "d"} {
		if _, err := maps.Create(ctx, configMap(name), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	pages, n := 0, 0
	for o := (metav1.ListOptions{Limit: 3}); ; {
		l, err := maps.List(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		pages, n, o.Continue = pages+1, n+len(l.Items), l.Continue
		if o.Continue == "" {
			break
		}
	}
	if pages != 2 || n != 4 {
		t.Errorf("%d objects on %d pages", n, pages)
	}
	dry := metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}
	if err := maps.Delete(ctx, "b", dry); err != nil {
		t.Error(err)
	}
	wrong := types.UID("none")
	if err := maps.Delete(ctx, "b", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &wrong}}); !apierrors.IsConflict(err) {
		t.Errorf("precondition: %v", err)
	}
	if err := maps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{FieldSelector: "metadata.name!=a"}); err != nil {
		t.Error(err)
	}
	if l, err := maps.List(ctx, metav1.ListOptions{}); err != nil || len(l.Items) != 1 {
		t.Errorf("left: %+v, %v", l, err)
	}
	scale, err := c.AppsV1().Deployments("default").GetScale(ctx, "none", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("scale of nothing: %+v, %v", scale, err)
	}
}

func TestDynamicAndMetadata(t *testing.T) {
	c, ctx := clientset(t), contextOf(t)
	ns := namespace(t, c)
	gvr := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	dyn, err := dynamic.NewForConfig(config(t))
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "a", "labels": map[string]any{"l": "v"}}, "data": map[string]any{"k": "v"}}}
	if _, err := dyn.Resource(gvr).Namespace(ns).Create(ctx, u, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	list, err := dyn.Resource(gvr).Namespace(ns).List(ctx, metav1.ListOptions{LabelSelector: "l=v"})
	if err != nil || len(list.Items) != 1 || list.GetResourceVersion() == "" {
		t.Errorf("list: %v, %v", list, err)
	}
	meta, err := metadata.NewForConfig(config(t))
	if err != nil {
		t.Fatal(err)
	}
	p, err := meta.Resource(gvr).Namespace(ns).Get(ctx, "a", metav1.GetOptions{})
	if err != nil || p.Labels["l"] != "v" || p.UID == "" {
		t.Errorf("metadata: %+v, %v", p, err)
	}
	pl, err := meta.Resource(gvr).Namespace(ns).List(ctx, metav1.ListOptions{})
	if err != nil || len(pl.Items) != 1 || pl.Items[0].Name != "a" {
		t.Errorf("metadata of all: %+v, %v", pl, err)
	}
	w, err := meta.Resource(gvr).Namespace(ns).Watch(ctx, metav1.ListOptions{ResourceVersion: pl.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	if err := meta.Resource(gvr).Namespace(ns).Delete(ctx, "a", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	e := <-w.ResultChan()
	if gone, ok := e.Object.(*metav1.PartialObjectMetadata); e.Type != watch.Deleted || !ok || gone.Name != "a" {
		t.Errorf("event %+v", e)
	}
}

func TestDiscovery(t *testing.T) {
	c := clientset(t)
	groups, lists, err := c.Discovery().ServerGroupsAndResources()
	if err != nil || len(groups) < 4 || len(lists) < 4 {
		t.Errorf("%d groups, %d lists, %v", len(groups), len(lists), err)
	}
	v, err := c.Discovery().ServerVersion()
	if err != nil || v.Major != "1" {
		t.Errorf("version %+v, %v", v, err)
	}
	paths, err := c.Discovery().OpenAPIV3().Paths()
	if err != nil || paths["apis/apps/v1"] == nil {
		t.Errorf("OpenAPI: %v, %v", paths, err)
	}
	if _, err := paths["apis/apps/v1"].Schema("application/json"); err != nil {
		t.Error(err)
	}
	v2, err := c.Discovery().OpenAPISchema() // as protobuf
	if err != nil || v2.GetSwagger() != "2.0" || len(v2.GetDefinitions().GetAdditionalProperties()) < 100 {
		t.Errorf("OpenAPI 2: %v", err)
	}
	r, err := c.CoreV1().RESTClient().Get().AbsPath("/readyz").DoRaw(contextOf(t))
	if err != nil || string(r) != "ok" {
		t.Errorf("readyz: %s, %v", r, err)
	}
}

// beginnings counts the requests that fill a copy anew.
func beginnings(t *testing.T) (*kubernetes.Clientset, *atomic.Int32) {
	t.Helper()
	var n atomic.Int32
	cfg := config(t)
	cfg.Wrap(func(rt http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			q := r.URL.Query()
			if r.Method == http.MethodGet && (!q.Has("watch") || q.Get("sendInitialEvents") == "true") {
				n.Add(1)
			}
			return rt.RoundTrip(r)
		})
	})
	c, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c, &n
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestInformer: a copy that is filled by list or by watch, follows through a restart of
// the gateway, and begins anew when its version is one that nobody remembers.
func TestInformer(t *testing.T) {
	c, began := beginnings(t)
	ctx := contextOf(t)
	ns := namespace(t, c)
	maps := c.CoreV1().ConfigMaps(ns)
	if _, err := maps.Create(ctx, configMap("before"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	f := informers.NewSharedInformerFactoryWithOptions(c, 0, informers.WithNamespace(ns))
	informer := f.Core().V1().ConfigMaps().Informer()
	seen := make(chan string, 100)
	say := func(what string) func(any) {
		return func(o any) {
			if m, ok := o.(*corev1.ConfigMap); ok {
				seen <- what + " " + m.Name
			}
		}
	}
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: say("add"), DeleteFunc: say("delete"), UpdateFunc: func(_, o any) { say("update")(o) },
	}); err != nil {
		t.Fatal(err)
	}
	expect := func(want string) {
		t.Helper()
		for {
			select {
			case got := <-seen:
				if strings.HasPrefix(got, "update ") {
					continue // a list anew shows what is known already
				}
				if got != want {
					t.Fatalf("saw %s, want %s", got, want)
				}
				return
			case <-ctx.Done():
				t.Fatalf("never saw %s", want)
			}
		}
	}
	stop := make(chan struct{})
	f.Start(stop)
	defer f.Shutdown()
	defer close(stop)
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		t.Fatal("not synced")
	}
	expect("add before")
	if _, err := maps.Create(ctx, configMap("during"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	expect("add during")
	restart(t, "gateway")
	retry(t, ctx, func() error { _, err := maps.Create(ctx, configMap("after"), metav1.CreateOptions{}); return err })
	expect("add after")
	retry(t, ctx, func() error { return maps.Delete(ctx, "during", metav1.DeleteOptions{}) })
	expect("delete during")
	// The version moves on, and then nobody knows what was between.
	if _, err := c.CoreV1().Secrets(ns).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "other"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	before := began.Load()
	restart(t, "apiserver")
	retry(t, ctx, func() error { _, err := maps.Create(ctx, configMap("later"), metav1.CreateOptions{}); return err })
	expect("add later")
	if began.Load() == before {
		t.Error("the watch went on from a version that is forgotten")
	}
}

// TestTooOld: a watch from a version that nobody remembers ends with 410 Gone. An
// apiserver that has just started remembers nothing.
func TestTooOld(t *testing.T) {
	c, ctx := clientset(t), contextOf(t)
	restart(t, "apiserver")
	retry(t, ctx, func() error { _, err := c.CoreV1().Namespaces().Get(ctx, "default", metav1.GetOptions{}); return err })
	w, err := c.CoreV1().ConfigMaps("default").Watch(ctx, metav1.ListOptions{ResourceVersion: "1"})
	if err == nil {
		defer w.Stop()
		e := <-w.ResultChan()
		err = apierrors.FromObject(e.Object)
	}
	if !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		t.Errorf("got %v", err)
	}
}

// TestWatchList: informers that begin with a watch get everything and then a bookmark.
func TestWatchList(t *testing.T) {
	c, ctx := clientset(t), contextOf(t)
	yes := true
	w, err := c.CoreV1().Namespaces().Watch(ctx, metav1.ListOptions{
		SendInitialEvents: &yes, AllowWatchBookmarks: true, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	added := 0
	for e := range w.ResultChan() {
		if e.Type == watch.Added {
			added++
			continue
		}
		ns, ok := e.Object.(*corev1.Namespace)
		if e.Type != watch.Bookmark || !ok || ns.Annotations[metav1.InitialEventsAnnotationKey] != "true" || added < 4 {
			t.Errorf("after %d: %+v", added, e)
		}
		return
	}
	t.Error("no bookmark came")
}

func TestLeaderElection(t *testing.T) {
	c := clientset(t)
	ns := namespace(t, c)
	ctx, cancel := context.WithCancel(contextOf(t))
	defer cancel()
	leads := make(chan string, 4)
	leader := func() string {
		select {
		case who := <-leads:
			return who
		case <-ctx.Done():
			return "nobody"
		}
	}
	var running sync.WaitGroup
	defer running.Wait()
	run := func(ctx context.Context, id string) {
		lock, err := resourcelock.New(resourcelock.LeasesResourceLock, ns, "election", c.CoreV1(), c.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: id})
		if err != nil {
			t.Error(err)
			return
		}
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: 6 * time.Second, RenewDeadline: 4 * time.Second, RetryPeriod: 500 * time.Millisecond, ReleaseOnCancel: true,
			Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) { leads <- id }, OnStoppedLeading: func() {}},
		})
	}
	first, resign := context.WithCancel(ctx)
	running.Go(func() { run(first, "a") })
	if who := leader(); who != "a" {
		t.Fatalf("%s leads", who)
	}
	second, end := context.WithCancel(ctx)
	running.Go(func() { run(second, "b") })
	resign()
	if who := leader(); who != "b" {
		t.Errorf("%s leads", who)
	}
	end()
}

func retry(t *testing.T, ctx context.Context, f func() error) {
	t.Helper()
	for {
		err := f()
		if err == nil || apierrors.IsAlreadyExists(err) {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("still: %v", err)
		}
	}
}
