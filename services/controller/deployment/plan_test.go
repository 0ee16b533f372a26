package deployment

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func newDeployment(n int32, surge, unavailable string) *appsv1.Deployment {
	s, u := intstr.Parse(surge), intstr.Parse(unavailable)
	d := &appsv1.Deployment{}
	d.Name, d.Namespace, d.UID, d.Generation = "web", "default", "d", 1
	d.Spec.Replicas = &n
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	d.Spec.Template = template("v1")
	d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &s, MaxUnavailable: &u}}
	return d
}

func template(image string) corev1.PodTemplateSpec {
	t := corev1.PodTemplateSpec{}
	t.Labels = map[string]string{"app": "web"}
	t.Spec.Containers = []corev1.Container{{Name: "c", Image: image}}
	return t
}

// set is a ReplicaSet of d whose pods are all there, available of them available.
func set(d *appsv1.Deployment, image string, n, available int32, rev int) *appsv1.ReplicaSet {
	rs := &appsv1.ReplicaSet{}
	rs.Name, rs.Namespace, rs.UID = "web-"+image, "default", types.UID(image)
	rs.CreationTimestamp = metav1.NewTime(noon.Add(time.Duration(rev) * time.Minute))
	rs.Spec.Replicas = &n
	rs.Spec.Template = template(image)
	rs.Status = appsv1.ReplicaSetStatus{Replicas: n, ReadyReplicas: available, AvailableReplicas: available}
	rs.Annotations = map[string]string{RevisionAnnotation: fmt.Sprint(rev)}
	annotateSize(d, rs)
	return rs
}

func sizesOf(p Plan) map[string]int32 {
	out := map[string]int32{}
	for _, ch := range p.Update {
		if size(ch.Set) != ch.Was {
			out[ch.Set.Name] = size(ch.Set)
		}
	}
	return out
}

func TestFences(t *testing.T) {
	tests := []struct {
		n                  int32
		surge, unavailable string
		wantSurge, wantUn  int32
	}{
		{10, "25%", "25%", 3, 2},
		{1, "25%", "25%", 1, 0},
		{4, "0", "0", 0, 1},
		{4, "0%", "10%", 0, 1},
		{10, "100%", "0", 10, 0},
		{2, "0", "5", 0, 2},
		{0, "3", "3", 0, 0},
	}
	for _, tt := range tests {
		s, u := fences(newDeployment(tt.n, tt.surge, tt.unavailable))
		if s != tt.wantSurge || u != tt.wantUn {
			t.Errorf("fences(%d, %s, %s) = %d, %d, want %d, %d", tt.n, tt.surge, tt.unavailable, s, u, tt.wantSurge, tt.wantUn)
		}
	}
}

func TestTemplateHash(t *testing.T) {
	a, b := template("v1"), template("v2")
	one := int32(1)
	if templateHash(&a, nil) == templateHash(&b, nil) {
		t.Error("two templates, one hash")
	}
	if templateHash(&a, nil) == templateHash(&a, &one) {
		t.Error("a collision does not change the hash")
	}
	// A hash names ReplicaSets: it must not change from release to release.
	if got := templateHash(&a, nil); got != "6696589ddb" {
		t.Errorf("hash = %s", got)
	}
	b = *a.DeepCopy()
	b.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = "x"
	if !sameTemplate(&a, &b) {
		t.Error("the hash label makes a template another")
	}
}

func TestPlanRollingSteps(t *testing.T) {
	d := func(n int32, surge, unavailable, image string) *appsv1.Deployment {
		d := newDeployment(n, surge, unavailable)
		d.Spec.Template = template(image)
		return d
	}
	type sets = []*appsv1.ReplicaSet
	tests := map[string]struct {
		d    *appsv1.Deployment
		sets func(d *appsv1.Deployment) sets
		want map[string]int32
	}{
		"grow into the surge": {d(10, "2", "0", "v2"), func(d *appsv1.Deployment) sets {
			return sets{set(d, "v1", 10, 10, 1), set(d, "v2", 0, 0, 2)}
		}, map[string]int32{"web-v2": 2}},
		"shrink what the new can spare": {d(10, "2", "0", "v2"), func(d *appsv1.Deployment) sets {
			return sets{set(d, "v1", 10, 10, 1), set(d, "v2", 2, 2, 2)}
		}, map[string]int32{"web-v1": 8}},
		"wait for the new to be available": {d(10, "2", "0", "v2"), func(d *appsv1.Deployment) sets {
			return sets{set(d, "v1", 10, 10, 1), set(d, "v2", 2, 0, 2)}
		}, map[string]int32{}},
		"unhealthy old pods go first": {d(10, "2", "2", "v2"), func(d *appsv1.Deployment) sets {
			return sets{set(d, "v1", 8, 4, 1), set(d, "v2", 4, 0, 2)}
		}, map[string]int32{}},
		"unhealthy old pods do not block": {d(10, "0", "2", "v3"), func(d *appsv1.Deployment) sets {
			return sets{set(d, "v1", 8, 8, 1), set(d, "v2", 2, 0, 2), set(d, "v3", 0, 0, 3)}
		}, map[string]int32{"web-v2": 0}},
		"too many of the new": {d(3, "1", "1", "v2"), func(d *appsv1.Deployment) sets {
			return sets{set(d, "v2", 5, 5, 2)}
		}, map[string]int32{"web-v2": 3}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := plan(tt.d, tt.sets(tt.d), nil, noon)
			if got := sizesOf(p); fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("sizes = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestPlanScalesInProportion(t *testing.T) {
	old := newDeployment(10, "3", "2")
	tests := []struct {
		n    int32
		want map[string]int32
	}{
		{15, map[string]int32{"web-v1": 11, "web-v2": 7}},
		{5, map[string]int32{"web-v1": 5, "web-v2": 3}},
		{0, map[string]int32{"web-v1": 0, "web-v2": 0}},
	}
	for _, tt := range tests {
		d := newDeployment(tt.n, "3", "2")
		d.Spec.Template = template("v2")
		p := plan(d, []*appsv1.ReplicaSet{set(old, "v1", 8, 8, 1), set(old, "v2", 5, 0, 2)}, nil, noon)
		if got := sizesOf(p); fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("scaling to %d: %v, want %v", tt.n, got, tt.want)
		}
	}
}

func TestPlanCreates(t *testing.T) {
	d := newDeployment(3, "1", "0")
	d.Annotations = map[string]string{"team": "a", corev1.LastAppliedConfigAnnotation: "{}"}
	p := plan(d, nil, nil, noon)
	rs := p.Create
	if rs == nil {
		t.Fatal("nothing created")
	}
	hash := templateHash(&d.Spec.Template, nil)
	if rs.Name != "web-"+hash || rs.Spec.Selector.MatchLabels["pod-template-hash"] != hash || rs.Spec.Template.Labels["pod-template-hash"] != hash || size(rs) != 3 {
		t.Errorf("created %+v", rs)
	}
	want := map[string]string{"team": "a", RevisionAnnotation: "1", DesiredAnnotation: "3", MaxAnnotation: "4"}
	if fmt.Sprint(rs.Annotations) != fmt.Sprint(want) {
		t.Errorf("annotations = %v, want %v", rs.Annotations, want)
	}
	if p.Revision != "1" {
		t.Errorf("revision = %q", p.Revision)
	}
}

func TestPlanDeadline(t *testing.T) {
	d := newDeployment(3, "1", "0")
	deadline := int32(60)
	d.Spec.ProgressDeadlineSeconds = &deadline
	d.Annotations = map[string]string{RevisionAnnotation: "1"}
	sets := []*appsv1.ReplicaSet{set(d, "v1", 3, 1, 1)}
	reason := func(p Plan) string { return condition(&p.Status, appsv1.DeploymentProgressing).Reason }

	p := plan(d, sets, nil, noon)
	if got := reason(p); got != reasonUpdated || p.After != 61*time.Second {
		t.Errorf("at first: %s, again in %s", got, p.After)
	}
	d.Status = p.Status
	p = plan(d, sets, nil, noon.Add(30*time.Second))
	if got := reason(p); got != reasonUpdated || p.After != 31*time.Second || !p.Empty(d) {
		t.Errorf("after 30 s: %s, again in %s, empty %t", got, p.After, p.Empty(d))
	}
	p = plan(d, sets, nil, noon.Add(61*time.Second))
	if got := reason(p); got != reasonTimedOut || p.After != 0 {
		t.Errorf("after 61 s: %s, again in %s", got, p.After)
	}
	d.Status = p.Status
	d.Spec.Paused = true
	if got := reason(plan(d, sets, nil, noon)); got != reasonTimedOut {
		t.Errorf("pausing covers up the missed deadline: %s", got)
	}
}

func TestRenumber(t *testing.T) {
	d := newDeployment(1, "1", "0")
	rs := set(d, "v1", 1, 1, 1)
	if !annotate(d, rs, 4) || rs.Annotations[RevisionAnnotation] != "4" || rs.Annotations[RevisionHistoryAnnotation] != "1" {
		t.Errorf("annotations = %v", rs.Annotations)
	}
	annotate(d, rs, 6)
	if rs.Annotations[RevisionHistoryAnnotation] != "1,4" {
		t.Errorf("history = %v", rs.Annotations)
	}
	if annotate(d, rs, 5) {
		t.Error("a revision went back")
	}
}
