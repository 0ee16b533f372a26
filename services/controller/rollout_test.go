package controller_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/clustertest"
	"github.com/skerry/skerry/services/controller/deployment"
	"github.com/skerry/skerry/services/controller/pod"
	"github.com/skerry/skerry/services/controller/replicaset"
)

func TestRolloutKeepsItsFences(t *testing.T) {
	values := []intstr.IntOrString{intstr.FromInt32(0), intstr.FromInt32(1), intstr.FromInt32(3), intstr.FromString("25%"), intstr.FromString("100%")}
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			pick := clustertest.New(t, seed).Rand
			n := int32(pick.IntN(9) + 1)
			surge, unavailable := values[pick.IntN(len(values))], values[pick.IntN(len(values))]
			r := newRollout(t, seed, func(d *appsv1.Deployment) {
				d.Spec.Replicas = &n
				d.Spec.Strategy.Type = appsv1.RollingUpdateDeploymentStrategyType
				d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxSurge: &surge, MaxUnavailable: &unavailable}
			})
			r.finish()
			most, least := fences(n, surge, unavailable)
			r.run.Check = func() {
				active, available := 0, 0
				for _, p := range r.pods() {
					if pod.Active(p) {
						active++
						if pod.Ready(p) {
							available++
						}
					}
				}
				if active > most || available < least {
					t.Fatalf("%d active (at most %d), %d available (at least %d), replicasets %v", active, most, available, least, r.sets())
				}
			}
			r.image("v2")
			r.finish()
			r.check(t, map[string]int32{"v1": 0, "v2": n})
			// In the middle of one rollout another, and back to the first.
			r.image("v3")
			for range pick.IntN(60) {
				if !r.run.Step() {
					r.agent()
				}
			}
			r.image("v1")
			r.finish()
			if got := r.sets(); got["v1"] != n || got["v2"] != 0 || got["v3"] != 0 {
				t.Errorf("replicasets = %v", got)
			}
			if got := r.progressing(); got != "NewReplicaSetAvailable" {
				t.Errorf("progressing: %s", got)
			}
			if s := r.deployment().Status; s.Replicas != n || s.UpdatedReplicas != n || s.AvailableReplicas != n || s.UnavailableReplicas != 0 || s.ObservedGeneration != r.deployment().Generation {
				t.Errorf("status = %+v", s)
			}
			r.quiet(t)
		})
	}
}

func fences(n int32, surge, unavailable intstr.IntOrString) (most, least int) {
	s, _ := intstr.GetScaledValueFromIntOrPercent(&surge, int(n), true)
	u, _ := intstr.GetScaledValueFromIntOrPercent(&unavailable, int(n), false)
	if s == 0 && u == 0 {
		u = 1
	}
	return int(n) + s, int(n) - u
}

func TestRecreateNeverMixes(t *testing.T) {
	for seed := range uint64(20) {
		r := newRollout(t, seed, func(d *appsv1.Deployment) {
			d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
		})
		r.finish()
		r.run.Check = func() {
			images := map[string]bool{}
			for _, p := range r.pods() {
				images[p.Spec.Containers[0].Image] = true
			}
			if len(images) > 1 {
				t.Fatalf("pods of %v at once", images)
			}
		}
		r.image("v2")
		r.finish()
		r.check(t, map[string]int32{"v1": 0, "v2": 3})
	}
}

func TestBadImageStopsAndUndoHeals(t *testing.T) {
	r := newRollout(t, 7, func(d *appsv1.Deployment) {
		one, zero, deadline := intstr.FromInt32(1), intstr.FromInt32(0), int32(60)
		d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxSurge: &one, MaxUnavailable: &zero}
		d.Spec.ProgressDeadlineSeconds = &deadline
	})
	r.finish()
	r.bad["bad"] = true
	r.image("bad")
	r.finish()
	r.check(t, map[string]int32{"v1": 3, "bad": 1})
	r.run.Advance(2 * time.Minute)
	if got := r.progressing(); got != "ProgressDeadlineExceeded" {
		t.Errorf("progressing: %s", got)
	}
	r.image("v1")
	r.finish()
	r.check(t, map[string]int32{"v1": 3, "bad": 0})
	if got := r.deployment().Annotations[deployment.RevisionAnnotation]; got != "3" {
		t.Errorf("revision %s, want 3: a rollback is a new revision", got)
	}
	for _, o := range r.List(schemas.ReplicaSets, "default") {
		rs := o.(*appsv1.ReplicaSet)
		if rs.Spec.Template.Spec.Containers[0].Image == "v1" && rs.Annotations[deployment.RevisionHistoryAnnotation] != "1" {
			t.Errorf("history of v1: %v", rs.Annotations)
		}
	}
	if got := r.progressing(); got != "NewReplicaSetAvailable" {
		t.Errorf("progressing: %s", got)
	}
}

func TestPauseHoldsTheRollout(t *testing.T) {
	r := newRollout(t, 3, nil)
	r.finish()
	r.update(func(d *appsv1.Deployment) { d.Spec.Paused = true })
	r.image("v2")
	r.finish()
	r.check(t, map[string]int32{"v1": 3})
	if got := r.progressing(); got != "DeploymentPaused" {
		t.Errorf("progressing: %s", got)
	}
	r.update(func(d *appsv1.Deployment) { n := int32(5); d.Spec.Replicas = &n })
	r.finish()
	r.check(t, map[string]int32{"v1": 5})
	r.update(func(d *appsv1.Deployment) { d.Spec.Paused = false })
	r.finish()
	r.check(t, map[string]int32{"v1": 0, "v2": 5})
}

func TestHistoryIsPruned(t *testing.T) {
	r := newRollout(t, 5, func(d *appsv1.Deployment) { n := int32(2); d.Spec.RevisionHistoryLimit = &n })
	r.finish()
	for i := 2; i <= 6; i++ {
		r.image(fmt.Sprintf("v%d", i))
		r.finish()
	}
	r.check(t, map[string]int32{"v4": 0, "v5": 0, "v6": 3})
}

func TestFailedPodsAreReplacedAndEventsSaySo(t *testing.T) {
	r := newRollout(t, 9, nil)
	r.finish()
	victim := schemas.RefOf(schemas.Pods, r.pods()[0])
	r.Observe(victim, func(o schemas.Object) { o.(*corev1.Pod).Status.Phase = corev1.PodFailed })
	r.finish()
	ready := 0
	for _, p := range r.pods() {
		if pod.Active(p) && pod.Ready(p) {
			ready++
		}
	}
	if ready != 3 || len(r.pods()) != 4 {
		t.Errorf("%d ready of %d pods", ready, len(r.pods()))
	}
	events := strings.Join(r.Reasons(), "\n")
	set := r.List(schemas.ReplicaSets, "default")[0].GetName()
	for _, want := range []string{"ScalingReplicaSet: Scaled up replica set " + set + " from 0 to 3", "SuccessfulCreate: Created pod: " + set + "-"} {
		if !strings.Contains(events, want) {
			t.Errorf("no event %q in\n%s", want, events)
		}
	}
}

func TestRefusedPodsAreReported(t *testing.T) {
	r := newRollout(t, 11, nil)
	var tries atomic.Int32 // pods are made in parallel
	r.Refuse = func(verb string, ref schemas.Ref, _ schemas.Object) error {
		if verb == "create" && ref.Resource == schemas.Pods {
			if tries.Add(1) <= 5 {
				return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, string(ref.Name), fmt.Errorf("quota"))
			}
		}
		return nil
	}
	failed := false
	r.run.Check = func() {
		for _, c := range r.deployment().Status.Conditions {
			failed = failed || c.Type == appsv1.DeploymentReplicaFailure && c.Reason == "FailedCreate"
		}
	}
	r.finish()
	if !failed {
		t.Error("ReplicaFailure was never reported")
	}
	for _, c := range r.deployment().Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure {
			t.Errorf("ReplicaFailure stays: %+v", c)
		}
	}
	if len(r.pods()) != 3 {
		t.Errorf("%d pods", len(r.pods()))
	}
}

func TestDeletingTheDeploymentDeletesAll(t *testing.T) {
	for _, policy := range []metav1.DeletionPropagation{metav1.DeletePropagationBackground, metav1.DeletePropagationForeground, metav1.DeletePropagationOrphan} {
		t.Run(string(policy), func(t *testing.T) {
			r := newRollout(t, 13, nil)
			r.finish()
			setWentFirst := true
			r.run.Check = func() {
				if _, there := r.Get(web); !there && len(r.List(schemas.ReplicaSets, "")) > 0 {
					setWentFirst = false
				}
			}
			if err := r.Delete(t.Context(), web, metav1.DeleteOptions{PropagationPolicy: &policy}); err != nil {
				t.Fatal(err)
			}
			r.finish()
			sets, pods := len(r.List(schemas.ReplicaSets, "")), len(r.pods())
			if _, there := r.Get(web); there {
				t.Error("the deployment is still there")
			}
			orphaned := policy == metav1.DeletePropagationOrphan
			if orphaned != (sets == 1 && pods == 3) || !orphaned && sets+pods > 0 {
				t.Errorf("left: %d replicasets, %d pods", sets, pods)
			}
			if policy == metav1.DeletePropagationForeground && !setWentFirst {
				t.Error("the deployment went before its replicaset")
			}
			if orphaned && len(r.List(schemas.ReplicaSets, "")[0].GetOwnerReferences()) > 0 {
				t.Error("the reference to the deployment is still there")
			}
		})
	}
}

func TestAdoptionAndRelease(t *testing.T) {
	r := newRollout(t, 17, nil)
	r.finish()
	loose := schemas.RefOf(schemas.Pods, r.pods()[0])
	o, _ := r.Get(loose)
	p := o.DeepCopyObject().(*corev1.Pod)
	p.Labels["app"] = "debug"
	if _, err := r.Update(t.Context(), schemas.Pods, p, ""); err != nil {
		t.Fatal(err)
	}
	r.finish()
	o, _ = r.Get(loose)
	if len(o.GetOwnerReferences()) != 0 || len(r.pods()) != 4 {
		t.Errorf("not released: %v, %d pods", o.GetOwnerReferences(), len(r.pods()))
	}
	p = o.DeepCopyObject().(*corev1.Pod)
	p.Labels["app"] = "web"
	if _, err := r.Update(t.Context(), schemas.Pods, p, ""); err != nil {
		t.Fatal(err)
	}
	r.finish()
	active := 0
	for _, p := range r.pods() {
		if pod.Active(p) {
			active++
		}
	}
	if active != 3 {
		t.Errorf("%d pods after adoption", active)
	}
}

// TestForeignPods: what says in another namespace that it is a set's is neither counted nor
// removed, and no rollout waits for it.
func TestForeignPods(t *testing.T) {
	r := newRollout(t, 1, func(d *appsv1.Deployment) { d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType })
	r.finish()
	set := r.List(schemas.ReplicaSets, "default")[0]
	for i := range 3 {
		p := &corev1.Pod{}
		p.APIVersion, p.Kind, p.Name, p.Namespace = "v1", "Pod", fmt.Sprint("foreign-", i), "elsewhere"
		p.Labels = r.pods()[0].Labels
		p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}
		if _, err := r.Create(t.Context(), schemas.Pods, p); err != nil {
			t.Fatal(err)
		}
	}
	c := r.Cluster()
	r.run = r.Runner(deployment.New(c), replicaset.New(c)) // another leader, which counts anew
	r.run.Wake(1, schemas.RefOf(schemas.ReplicaSets, set))
	r.run.Settle()
	if own, foreign := len(r.pods()), len(r.List(schemas.Pods, "elsewhere")); own != 3 || foreign != 3 {
		t.Errorf("there are %d pods of its own and %d others", own, foreign)
	}
	r.image("v2")
	r.finish()
	if got := r.sets()["v2"]; got != 3 {
		t.Errorf("%d pods of the new image", got)
	}
}

func TestHashCollision(t *testing.T) {
	r := newRollout(t, 19, nil)
	// Somebody else's set has the name that the first one is to have.
	var taken string
	r.Refuse = func(verb string, ref schemas.Ref, obj schemas.Object) error {
		if verb == "create" && ref.Resource == schemas.ReplicaSets && (taken == "" || taken == obj.GetName()) {
			taken = obj.GetName()
			return apierrors.NewAlreadyExists(schema.GroupResource{Group: "apps", Resource: "replicasets"}, taken)
		}
		return nil
	}
	r.finish()
	sets := r.List(schemas.ReplicaSets, "default")
	if len(sets) != 1 || sets[0].GetName() == taken || len(r.pods()) != 3 {
		t.Errorf("%d replicasets, the first %s (taken: %s), %d pods", len(sets), sets[0].GetName(), taken, len(r.pods()))
	}
	if n := r.deployment().Status.CollisionCount; n == nil || *n != 1 {
		t.Errorf("collisionCount = %v", n)
	}
}
