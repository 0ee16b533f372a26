//go:build linux

package up

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/agent/fleet"
)

// simulate runs nodes first to first+n-1, each with 4 CPUs, in two zones in turn, until
// the test ends.
func (c *cluster1) simulate(t *testing.T, first, n int) {
	t.Helper()
	s := &Simulate{Nats: c.url, DataDir: string(c.dir), LogLevel: "error", Nodes: n, First: first, Prefix: "sim", Zones: 2, CPU: "4", Memory: "64Gi", MaxPods: 110, Seed: 1}
	fc, err := s.fleet(c.session)
	if err != nil {
		t.Fatal(err)
	}
	f := fleet.New(fc)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("simulated nodes: %v", err)
		}
	})
}

// watched is the pods as a client sees them.
type watched struct {
	mu    sync.Mutex
	pods  map[string]*v1.Pod
	gone  int // pods that were there and are no more
	least int // fewest pods that may be ready at once; 0 until they all are
	low   string
	woken chan struct{}
}

func watch(t *testing.T, client *api.Client) *watched {
	t.Helper()
	w := &watched{pods: map[string]*v1.Pod{}, woken: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- client.WatchRaw(ctx, schemas.Pods, "default", metav1.ListOptions{}, func(e api.WatchEvent) error { return w.see(e) })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("watch: %v", err)
		}
	})
	return w
}

func (w *watched) see(e api.WatchEvent) error {
	p := &v1.Pod{}
	if err := json.Unmarshal(e.Object, p); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e.Type {
	case "ADDED", "MODIFIED":
		w.pods[p.Name] = p
	case "DELETED":
		delete(w.pods, p.Name)
		w.gone++
	}
	if up := len(w.ready()); up < w.least {
		w.low = fmt.Sprintf("%d pods are ready, at least %d must be", up, w.least)
	}
	select {
	case w.woken <- struct{}{}:
	default:
	}
	return nil
}

// ready are the nodes of pods that are ready and not on their way out.
func (w *watched) ready() (on []string) {
	for _, p := range w.pods {
		for _, c := range p.Status.Conditions {
			if c.Type == v1.PodReady && c.Status == v1.ConditionTrue && p.DeletionTimestamp == nil {
				on = append(on, p.Spec.NodeName)
			}
		}
	}
	return on
}

// until waits until ready pods per node are as ok wants them, and no others are there.
func (w *watched) until(t *testing.T, what string, ok func(per map[string]int) bool) {
	t.Helper()
	timeout := time.After(60 * time.Second)
	for {
		w.mu.Lock()
		on, per, all := w.ready(), map[string]int{}, len(w.pods)
		w.mu.Unlock()
		for _, n := range on {
			per[n]++
		}
		if len(on) == all && ok(per) {
			return
		}
		select {
		case <-w.woken:
		case <-timeout:
			t.Fatalf("not %s: %v of %d pods", what, per, all)
		}
	}
}

func total(per map[string]int) (n int) {
	for v := range maps.Values(per) {
		n += v
	}
	return n
}

// client is a user's.
func (c *cluster1) client(t *testing.T) *api.Client {
	t.Helper()
	user := session.New(c.session.Env, session.Globals{})
	t.Cleanup(func() { user.Close() })
	client, err := user.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func create(t *testing.T, client *api.Client, r schemas.Resource, obj schemas.Object) {
	t.Helper()
	if _, err := client.Create(t.Context(), r, obj); err != nil {
		t.Fatal(err)
	}
}

// replicated is n pods of 1 CPU.
func replicated(n int32, edit ...func(*v1.PodSpec)) *appsv1.Deployment {
	set, grace := map[string]string{"app": "web"}, int64(0)
	d := &appsv1.Deployment{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default"}}
	d.Spec.Replicas, d.Spec.Selector = &n, &metav1.LabelSelector{MatchLabels: set}
	d.Spec.Template.Labels = set
	d.Spec.Template.Spec = v1.PodSpec{TerminationGracePeriodSeconds: &grace, Containers: []v1.Container{{Name: "c", Image: "example.org/app:1",
		Resources: v1.ResourceRequirements{Requests: v1.ResourceList{v1.ResourceCPU: resource.MustParse("1")}}}}}
	for _, e := range edit {
		e(&d.Spec.Template.Spec)
	}
	return d
}

func guard(least int) *policyv1.PodDisruptionBudget {
	b := &policyv1.PodDisruptionBudget{TypeMeta: metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}, ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default"}}
	min := intstr.FromInt(least)
	b.Spec.MinAvailable, b.Spec.Selector = &min, &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	return b
}

func often(c *Up) { c.Rebalance, c.RebalanceMost = 200*time.Millisecond, 2 }

// TestRebalanceWhenANodeJoins: with all services as they are and simulated nodes, pods of
// two full nodes move to a third one that joins, within their budget, and then stay.
func TestRebalanceWhenANodeJoins(t *testing.T) {
	c := startUp(t, often)
	c.simulate(t, 0, 2)
	client := c.client(t)
	w := watch(t, client)
	create(t, client, schemas.PodDisruptionBudgets, guard(7))
	create(t, client, schemas.Deployments, replicated(8))
	w.until(t, "on two nodes", func(per map[string]int) bool { return per["sim-0"] == 4 && per["sim-1"] == 4 })
	w.mu.Lock()
	w.least, w.gone = 7, 0
	w.mu.Unlock()
	c.simulate(t, 2, 1)
	w.until(t, "spread over three nodes", func(per map[string]int) bool { return total(per) == 8 && per["sim-2"] >= 2 })
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.low != "" {
		t.Error(w.low)
	}
	if w.gone > 4 {
		t.Errorf("%d pods were evicted", w.gone)
	}
}

// TestRebalanceWhenSpreadDecays: pods that all came to one zone, because the other was
// closed, go back to it.
func TestRebalanceWhenSpreadDecays(t *testing.T) {
	c := startUp(t, often)
	c.simulate(t, 0, 2)
	client := c.client(t)
	w := watch(t, client)
	cordon := func(yes bool) {
		t.Helper()
		patch := fmt.Appendf(nil, `{"spec":{"unschedulable":%v}}`, yes)
		ref := schemas.Ref{Resource: schemas.Nodes, Name: "sim-1"}
		tick, timeout := time.NewTicker(20*time.Millisecond), time.After(60*time.Second)
		defer tick.Stop()
		for {
			_, err := client.Patch(t.Context(), ref, types.MergePatchType, patch, "")
			if err == nil {
				return
			}
			select {
			case <-tick.C: // it has not joined yet
			case <-timeout:
				t.Fatal(err)
			}
		}
	}
	cordon(true)
	create(t, client, schemas.Deployments, replicated(4, func(s *v1.PodSpec) {
		s.TopologySpreadConstraints = []v1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: v1.LabelTopologyZone, WhenUnsatisfiable: v1.ScheduleAnyway,
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}}
	}))
	w.until(t, "in one zone", func(per map[string]int) bool { return per["sim-0"] == 4 })
	cordon(false)
	w.until(t, "in both zones", func(per map[string]int) bool { return per["sim-0"] == 2 && per["sim-1"] == 2 })
}

// TestNobodyMovesUnasked: without --rebalance pods stay where they are when a node joins.
func TestNobodyMovesUnasked(t *testing.T) {
	c := startUp(t)
	c.simulate(t, 0, 1)
	client := c.client(t)
	w := watch(t, client)
	create(t, client, schemas.Deployments, replicated(4))
	w.until(t, "on the only node", func(per map[string]int) bool { return per["sim-0"] == 4 })
	c.simulate(t, 1, 1)
	// Once one more pod runs on the new node, the scheduler knows it.
	patch := []byte(`{"spec":{"replicas":5}}`)
	if _, err := client.Patch(t.Context(), schemas.Ref{Resource: schemas.Deployments, Namespace: "default", Name: "web"}, types.MergePatchType, patch, ""); err != nil {
		t.Fatal(err)
	}
	w.until(t, "grown", func(per map[string]int) bool { return per["sim-0"] == 4 && per["sim-1"] == 1 })
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone != 0 {
		t.Errorf("%d pods were moved", w.gone)
	}
}
