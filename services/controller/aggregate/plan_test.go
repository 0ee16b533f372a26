package aggregate

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func role(name string, labels map[string]string, verbs ...string) *rbacv1.ClusterRole {
	r := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	for _, v := range verbs {
		r.Rules = append(r.Rules, rbacv1.PolicyRule{Verbs: []string{v}})
	}
	return r
}

func TestPlan(t *testing.T) {
	mine := map[string]string{"to": "a"}
	a := role("a", mine, "stale") // a role that matches itself does not hold itself
	a.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{
		{MatchLabels: mine}, {MatchLabels: map[string]string{"also": "a"}},
	}}
	all := []*rbacv1.ClusterRole{role("z", mine, "list", "get"), a, role("b", mine, "get"), role("other", nil, "delete"), role("c", map[string]string{"also": "a"}, "watch")}
	got, err := plan(a, all)
	want := role("", nil, "get", "list", "watch").Rules
	if err != nil || !equality.Semantic.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if all[0].Name != "z" {
		t.Error("the view's list was sorted")
	}
}

func TestPlanRefusesABadSelector(t *testing.T) {
	a := role("a", nil)
	a.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "x", Operator: "Near"}}}}}
	if _, err := plan(a, nil); err == nil {
		t.Error("no error")
	}
}
