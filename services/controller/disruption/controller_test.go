package disruption_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/clustertest"
	"github.com/skerry/skerry/services/controller/disruption"
)

// TestOwnersCount: what counts is how many pods the Deployment above the ReplicaSet
// asks for.
func TestOwnersCount(t *testing.T) {
	w := clustertest.New(t, 1)
	create := func(r schemas.Resource, o schemas.Object) schemas.Object {
		t.Helper()
		out, err := w.Create(t.Context(), r, o)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	meta := func(name string, owner schemas.Object, kind string) metav1.ObjectMeta {
		m := metav1.ObjectMeta{Name: name, Namespace: "default", Labels: map[string]string{"app": "web"}}
		if owner != nil {
			m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: owner.GetName(), UID: owner.GetUID(), Controller: ptr.To(true)}}
		}
		return m
	}
	d := create(schemas.Deployments, &appsv1.Deployment{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: meta("web", nil, ""), Spec: appsv1.DeploymentSpec{Replicas: ptr.To(int32(4))}})
	rs := create(schemas.ReplicaSets, &appsv1.ReplicaSet{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "ReplicaSet"}, ObjectMeta: meta("web-1", d, "Deployment"), Spec: appsv1.ReplicaSetSpec{Replicas: ptr.To(int32(2))}})
	for _, name := range []string{"a", "b", "c"} {
		p := create(schemas.Pods, &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: meta(name, rs, "ReplicaSet")})
		ref := schemas.RefOf(schemas.Pods, p)
		w.Assign(ref, "n1")
		w.Observe(ref, func(o schemas.Object) {
			o.(*corev1.Pod).Status.Phase = corev1.PodRunning
			o.(*corev1.Pod).Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		})
	}
	b := create(schemas.PodDisruptionBudgets, &policyv1.PodDisruptionBudget{TypeMeta: metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}, ObjectMeta: meta("web", nil, ""),
		Spec: policyv1.PodDisruptionBudgetSpec{MaxUnavailable: ptr.To(intstr.FromString("50%")), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}})
	ref := schemas.RefOf(schemas.PodDisruptionBudgets, b)
	if _, err := disruption.New(w.Cluster()).Reconcile(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	obj, _ := w.Get(ref)
	if st := obj.(*policyv1.PodDisruptionBudget).Status; st.ExpectedPods != 4 || st.DesiredHealthy != 2 || st.CurrentHealthy != 3 || st.DisruptionsAllowed != 1 {
		t.Errorf("%+v", st)
	}
	before := w.Writes()
	if _, err := disruption.New(w.Cluster()).Reconcile(t.Context(), ref); err != nil || w.Writes() != before {
		t.Errorf("a second turn writes again (%v)", err)
	}
}

// TestNumberNeedsNoOwner: a budget in a number of pods counts pods, whoever owns them.
func TestNumberNeedsNoOwner(t *testing.T) {
	w := clustertest.New(t, 1)
	labels := map[string]string{"app": "web"}
	p := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: "default", Labels: labels,
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: "Thing", Name: "t", UID: "t", Controller: ptr.To(true)}}}}
	b := &policyv1.PodDisruptionBudget{TypeMeta: metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}, ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default"},
		Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: ptr.To(intstr.FromInt32(1)), Selector: &metav1.LabelSelector{MatchLabels: labels}}}
	for r, o := range map[schemas.Resource]schemas.Object{schemas.Pods: p, schemas.PodDisruptionBudgets: b} {
		if _, err := w.Create(t.Context(), r, o); err != nil {
			t.Fatal(err)
		}
	}
	ref := schemas.RefOf(schemas.PodDisruptionBudgets, b)
	if _, err := disruption.New(w.Cluster()).Reconcile(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	obj, _ := w.Get(ref)
	if st := obj.(*policyv1.PodDisruptionBudget).Status; st.ExpectedPods != 1 || st.DesiredHealthy != 1 || st.Conditions[0].Reason != policyv1.InsufficientPodsReason {
		t.Errorf("%+v", st)
	}
}
