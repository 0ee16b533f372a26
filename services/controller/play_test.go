package controller_test

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/clustertest"
	"github.com/skerry/skerry/services/controller/deployment"
	"github.com/skerry/skerry/services/controller/garbage"
	"github.com/skerry/skerry/services/controller/pod"
	"github.com/skerry/skerry/services/controller/replicaset"
)

var web = schemas.Ref{Resource: schemas.Deployments, Namespace: "default", Name: "web"}

// rollout is a world with one Deployment and agents that the test plays.
type rollout struct {
	*clustertest.World
	run *clustertest.Runner
	// bad tells which images never become ready.
	bad map[string]bool
}

func newRollout(t *testing.T, seed uint64, change func(*appsv1.Deployment)) *rollout {
	t.Helper()
	w := clustertest.New(t, seed)
	c := w.Cluster()
	r := &rollout{World: w, bad: map[string]bool{}}
	r.run = w.Runner(deployment.New(c), replicaset.New(c), garbage.New(c))
	d := &appsv1.Deployment{}
	d.APIVersion, d.Kind, d.Name, d.Namespace = "apps/v1", "Deployment", "web", "default"
	n := int32(3)
	d.Spec.Replicas = &n
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	d.Spec.Template.Labels = map[string]string{"app": "web"}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "c", Image: "v1"}}
	if change != nil {
		change(d)
	}
	if _, err := w.Create(t.Context(), schemas.Deployments, d); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rollout) deployment() *appsv1.Deployment {
	r.T.Helper()
	o, ok := r.Get(web)
	if !ok {
		r.T.Fatal("the deployment is gone")
	}
	return o.(*appsv1.Deployment)
}

func (r *rollout) update(f func(*appsv1.Deployment)) {
	r.T.Helper()
	d := r.deployment().DeepCopy()
	f(d)
	if _, err := r.Update(context.Background(), schemas.Deployments, d, ""); err != nil {
		r.T.Fatal(err)
	}
}

func (r *rollout) image(v string) {
	r.update(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = v })
}

func (r *rollout) pods() (out []*corev1.Pod) {
	for _, o := range r.List(schemas.Pods, "default") {
		out = append(out, o.(*corev1.Pod))
	}
	return out
}

func (r *rollout) sets() map[string]int32 {
	out := map[string]int32{}
	for _, o := range r.List(schemas.ReplicaSets, "default") {
		rs := o.(*appsv1.ReplicaSet)
		out[rs.Spec.Template.Spec.Containers[0].Image] = *rs.Spec.Replicas
	}
	return out
}

// agent does what agents would do next to one random pod; false if nothing is left.
func (r *rollout) agent() bool {
	var todo []func()
	for _, p := range r.pods() {
		ref := schemas.RefOf(schemas.Pods, p)
		switch {
		case p.DeletionTimestamp != nil:
			zero := int64(0)
			todo = append(todo, func() { _ = r.Delete(context.Background(), ref, metav1.DeleteOptions{GracePeriodSeconds: &zero}) })
		case p.Spec.NodeName == "":
			todo = append(todo, func() { r.Assign(ref, fmt.Sprintf("n%d", r.Rand.IntN(3))) })
		case !pod.Ready(p) && !r.bad[p.Spec.Containers[0].Image] && !pod.Terminal(p):
			todo = append(todo, func() { r.ready(ref, true) })
		}
	}
	if len(todo) == 0 {
		return false
	}
	todo[r.Rand.IntN(len(todo))]()
	return true
}

func (r *rollout) ready(ref schemas.Ref, ready bool) {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	at := metav1.NewTime(r.Now())
	r.Observe(ref, func(o schemas.Object) {
		p := o.(*corev1.Pod)
		p.Status.Phase = corev1.PodRunning
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status, LastTransitionTime: at}}
	})
}

// finish lets controllers and agents act, in random order, until all is done.
func (r *rollout) finish() {
	r.T.Helper()
	for n := 0; ; n++ {
		if n > 20_000 {
			r.T.Fatal("the rollout does not end")
		}
		if r.Rand.IntN(3) > 0 && r.run.Step() {
			continue
		}
		if !r.agent() && !r.run.Step() {
			return
		}
	}
}

func (r *rollout) progressing() string {
	for _, c := range r.deployment().Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing {
			return c.Reason
		}
	}
	return ""
}

func (r *rollout) check(t *testing.T, want map[string]int32) {
	t.Helper()
	got := r.sets()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("replicasets = %v, want %v", got, want)
	}
}

// quiet checks that reconciling everything once more writes nothing.
func (r *rollout) quiet(t *testing.T) {
	t.Helper()
	before := r.Writes()
	r.run.Wake(0, web)
	for _, o := range r.List(schemas.ReplicaSets, "default") {
		r.run.Wake(1, schemas.RefOf(schemas.ReplicaSets, o))
		r.run.Wake(2, schemas.RefOf(schemas.ReplicaSets, o))
	}
	r.run.Settle()
	if n := r.Writes() - before; n != 0 {
		t.Errorf("planning again after applying wrote %d times", n)
	}
}
