package removal

import (
	"reflect"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

func running(change ...func(*v1.Pod)) *v1.Pod {
	p := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "u1", ResourceVersion: "7", Generation: 1},
		Spec:       v1.PodSpec{NodeName: "n1", TerminationGracePeriodSeconds: ptr(int64(20))},
		Status:     v1.PodStatus{Phase: v1.PodRunning},
	}
	for _, f := range change {
		f(p)
	}
	return p
}

func deleting(seconds int64) func(*v1.Pod) {
	return func(p *v1.Pod) {
		p.DeletionTimestamp = ptr(metav1.NewTime(now.Add(time.Duration(seconds) * time.Second)))
		p.DeletionGracePeriodSeconds = &seconds
	}
}

func TestPods(t *testing.T) {
	finalized := func(p *v1.Pod) { p.Finalizers = []string{"x/y"} }
	for name, c := range map[string]struct {
		pod   *v1.Pod
		o     metav1.DeleteOptions
		want  Outcome
		grace int64 // after Mark
	}{
		"own grace":           {running(), metav1.DeleteOptions{}, Mark, 20},
		"asked grace":         {running(), metav1.DeleteOptions{GracePeriodSeconds: ptr(int64(5))}, Mark, 5},
		"at once":             {running(), metav1.DeleteOptions{GracePeriodSeconds: ptr(int64(0))}, Remove, 0},
		"not placed":          {running(func(p *v1.Pod) { p.Spec.NodeName = "" }), metav1.DeleteOptions{}, Remove, 0},
		"ended":               {running(func(p *v1.Pod) { p.Status.Phase = v1.PodFailed }), metav1.DeleteOptions{}, Remove, 0},
		"again":               {running(deleting(20)), metav1.DeleteOptions{}, Nothing, 0},
		"again, longer":       {running(deleting(20)), metav1.DeleteOptions{GracePeriodSeconds: ptr(int64(30))}, Nothing, 0},
		"again, shorter":      {running(deleting(20)), metav1.DeleteOptions{GracePeriodSeconds: ptr(int64(3))}, Mark, 3},
		"the agent is done":   {running(deleting(20)), metav1.DeleteOptions{GracePeriodSeconds: ptr(int64(0))}, Remove, 0},
		"done, but finalizer": {running(deleting(20), finalized), metav1.DeleteOptions{GracePeriodSeconds: ptr(int64(0))}, Mark, 0},
		"finalizer":           {running(finalized), metav1.DeleteOptions{GracePeriodSeconds: ptr(int64(0))}, Mark, 0},
	} {
		was, next := c.pod.DeepCopy(), *c.pod
		got, err := Plan(&schemas.Kind{Resource: schemas.Pods}, &next, &c.o, now)
		if err != nil || got != c.want {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, c.want)
			continue
		}
		if !reflect.DeepEqual(c.pod, was) {
			t.Errorf("%s: what the copy shares was changed: %+v", name, c.pod)
		}
		if got != Mark {
			continue
		}
		want := now.Add(time.Duration(c.grace) * time.Second)
		if p := next; *p.DeletionGracePeriodSeconds != c.grace || !p.DeletionTimestamp.Time.Equal(want) {
			t.Errorf("%s: grace %d until %v", name, *p.DeletionGracePeriodSeconds, p.DeletionTimestamp)
		}
	}
}

func TestFinalizersAndPolicies(t *testing.T) {
	policy := func(p metav1.DeletionPropagation) metav1.DeleteOptions {
		return metav1.DeleteOptions{PropagationPolicy: &p}
	}
	for name, c := range map[string]struct {
		have []string
		o    metav1.DeleteOptions
		want Outcome
		left []string
	}{
		"background":            {nil, policy(metav1.DeletePropagationBackground), Remove, nil},
		"foreground":            {nil, policy(metav1.DeletePropagationForeground), Mark, []string{metav1.FinalizerDeleteDependents}},
		"orphan":                {nil, policy(metav1.DeletePropagationOrphan), Mark, []string{metav1.FinalizerOrphanDependents}},
		"orphanDependents":      {nil, metav1.DeleteOptions{OrphanDependents: ptr(true)}, Mark, []string{metav1.FinalizerOrphanDependents}},
		"orphan kept":           {[]string{metav1.FinalizerOrphanDependents}, metav1.DeleteOptions{}, Mark, []string{metav1.FinalizerOrphanDependents}},
		"background over both":  {[]string{metav1.FinalizerOrphanDependents}, policy(metav1.DeletePropagationBackground), Remove, nil},
		"another's and forward": {[]string{"a/b"}, policy(metav1.DeletePropagationForeground), Mark, []string{"a/b", metav1.FinalizerDeleteDependents}},
	} {
		obj := &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c", Finalizers: c.have}}
		got, err := Plan(&schemas.Kind{Resource: schemas.ConfigMaps}, obj, &c.o, now)
		if err != nil || got != c.want || len(obj.Finalizers) != len(c.left) || !subset(obj.Finalizers, c.left) {
			t.Errorf("%s: got %v %v, %v", name, got, obj.Finalizers, err)
		}
		if (got == Mark) != (obj.DeletionTimestamp != nil) {
			t.Errorf("%s: deletionTimestamp %v", name, obj.DeletionTimestamp)
		}
	}
}

func TestPreconditions(t *testing.T) {
	for name, p := range map[string]metav1.Preconditions{
		"uid":             {UID: ptr(types.UID("other"))},
		"resourceVersion": {ResourceVersion: ptr("6")},
	} {
		o := metav1.DeleteOptions{Preconditions: &p}
		if _, err := Plan(&schemas.Kind{Resource: schemas.Pods}, running(), &o, now); !apierrors.IsConflict(err) {
			t.Errorf("%s: got %v, want Conflict", name, err)
		}
	}
}

func TestNamespaceWaits(t *testing.T) {
	n := &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: v1.NamespaceSpec{Finalizers: []v1.FinalizerName{"kubernetes"}}}
	got, err := Plan(&schemas.Kind{Resource: schemas.Namespaces}, n, &metav1.DeleteOptions{}, now)
	if err != nil || got != Mark || n.DeletionTimestamp == nil || Finished(n) {
		t.Fatalf("got %v, %v, finished %v", got, err, Finished(n))
	}
	if again, _ := Plan(&schemas.Kind{Resource: schemas.Namespaces}, n, &metav1.DeleteOptions{}, now); again != Nothing {
		t.Errorf("again: %v", again)
	}
	n.Spec.Finalizers = nil
	if !Finished(n) {
		t.Error("an emptied namespace is not finished")
	}
}
