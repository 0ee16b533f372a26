package wait

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

func TestGoal(t *testing.T) {
	kind := &schemas.Kind{Resource: schemas.Deployments, Version: "v1", Kind: "Deployment", Singular: "deployment"}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web", Generation: 2}, Status: appsv1.DeploymentStatus{
		ObservedGeneration: 2, ReadyReplicas: 3,
		Conditions: []appsv1.DeploymentCondition{{Type: "Available", Status: corev1.ConditionTrue}, {Type: "Progressing", Status: corev1.ConditionFalse}},
	}}
	stale := d.DeepCopy()
	stale.Generation = 3
	tests := []struct {
		spec string
		obj  schemas.Object
		want bool
	}{
		{"condition=Available", d, true},
		{"condition=available=true", d, true},
		{"condition=Available", stale, false},
		{"condition=Progressing", d, false},
		{"condition=Progressing=False", d, true},
		{"condition=Nonsense", d, false},
		{"jsonpath={.status.readyReplicas}=3", d, true},
		{"jsonpath='{.status.readyReplicas}'=3", d, true},
		{"jsonpath={.status.readyReplicas}=4", d, false},
		{"jsonpath={.status.readyReplicas}", d, true},
		{"jsonpath={.status.updatedReplicas}", d, false},
		{`jsonpath={.status.conditions[?(@.type=="Available")].status}=True`, d, true},
		{"create", d, true},
		{"delete", d, false},
	}
	for _, tt := range tests {
		t.Run(tt.spec, func(t *testing.T) {
			g, err := parseGoal(tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			got, err := g.met(kind, tt.obj)
			if err != nil || got != tt.want {
				t.Fatalf("met %v, %v", got, err)
			}
		})
	}
	for _, bad := range []string{"", "ready", "condition=", "jsonpath={.a}=", "jsonpath={.a}b"} {
		if _, err := parseGoal(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
