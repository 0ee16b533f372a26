package validate_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/skerry/skerry/schemas/validate"
)

func TestDeployment(t *testing.T) {
	rolling := func(unavailable, surge string) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) {
			d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{
				MaxUnavailable: new(intstr.Parse(unavailable)), MaxSurge: new(intstr.Parse(surge))}
		}
	}
	type deployment = *appsv1.Deployment
	const update = "spec.strategy.rollingUpdate"
	for _, c := range []struct {
		name   string
		change func(deployment)
		want   []fault
	}{
		{"good", func(deployment) {}, nil},
		{"name", func(d deployment) { d.Name = "a_b" }, one(invalid, "metadata.name", "RFC 1123")},
		{"replicas", func(d deployment) { d.Spec.Replicas = new(int32(-1)) }, one(invalid, "spec.replicas", "greater than or equal to 0")},
		{"no selector", func(d deployment) { d.Spec.Selector = nil }, one(required, "spec.selector", "")},
		{"empty selector", func(d deployment) { d.Spec.Selector = &metav1.LabelSelector{} }, one(invalid, "spec.selector", "empty selector is invalid")},
		{"bad selector", func(d deployment) {
			d.Spec.Selector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "app", Operator: "In"}}
		}, one(required, "spec.selector.matchExpressions[0].values", "'In' or 'NotIn'")},
		{"mismatch", func(d deployment) { d.Spec.Template.Labels["app"] = "other" },
			one(invalid, "spec.template.metadata.labels", "`selector` does not match template `labels`")},
		{"template label", func(d deployment) { d.Spec.Template.Labels["a b"] = "x" }, one(invalid, "spec.template.metadata.labels", "name part")},
		{"template", func(d deployment) { d.Spec.Template.Spec.Containers[0].Image = "" }, one(required, "spec.template.spec.containers[0].image", "")},
		{"blank image", func(d deployment) { d.Spec.Template.Spec.Containers[0].Image = " " }, nil},
		{"restartPolicy", func(d deployment) { d.Spec.Template.Spec.RestartPolicy = "Never" },
			one(unsupported, "spec.template.spec.restartPolicy", `supported values: "Always"`)},
		{"activeDeadlineSeconds", func(d deployment) { d.Spec.Template.Spec.ActiveDeadlineSeconds = new(int64(1)) },
			one(forbidden, "spec.template.spec.activeDeadlineSeconds", "not Supported")},
		{"strategy", func(d deployment) { d.Spec.Strategy.Type = "Blue" }, one(unsupported, "spec.strategy.type", `"Recreate", "RollingUpdate"`)},
		{"recreate", func(d deployment) { d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType },
			one(forbidden, update, "may not be specified when strategy `type` is 'Recreate'")},
		{"no rollingUpdate", func(d deployment) { d.Spec.Strategy.RollingUpdate = nil }, one(required, update, "")},
		{"both zero", rolling("0", "0%"), one(invalid, update+".maxUnavailable", "may not be 0 when `maxSurge` is 0")},
		{"one zero", rolling("0", "1"), nil},
		{"percent", rolling("25", "x%"), one(invalid, update+".maxSurge", "a valid percent string")},
		{"over 100%", rolling("101%", "200%"), one(invalid, update+".maxUnavailable", "must not be greater than 100%")},
		{"endless percent", rolling("1", "99999999999999999999%"), one(invalid, update+".maxSurge", "beyond all bounds")},
		{"negative", rolling("-1", "1"), one(invalid, update+".maxUnavailable", "greater than or equal to 0")},
		{"minReadySeconds", func(d deployment) { d.Spec.MinReadySeconds = -1 }, one(invalid, "spec.minReadySeconds", "greater than or equal to 0")},
		{"progress", func(d deployment) { d.Spec.MinReadySeconds = 600 },
			one(invalid, "spec.progressDeadlineSeconds", "must be greater than minReadySeconds")},
		{"history", func(d deployment) { d.Spec.RevisionHistoryLimit = new(int32(-1)) }, one(invalid, "spec.revisionHistoryLimit", "greater than or equal to 0")},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := goodDeployment()
			c.change(d)
			expect(t, validate.Deployment(d), c.want...)
		})
	}
}

func TestDeploymentUpdate(t *testing.T) {
	d := goodDeployment()
	d.Spec.Selector.MatchLabels["tier"] = "front"
	d.Spec.Template.Labels["tier"] = "front"
	expect(t, validate.DeploymentUpdate(d, goodDeployment()), fault{invalid, "spec.selector", "field is immutable"})
	scaled := goodDeployment()
	scaled.Spec.Replicas = new(int32(5))
	scaled.Spec.Template.Spec.Containers[0].Image = "other"
	expect(t, validate.DeploymentUpdate(scaled, goodDeployment()))
}

func TestReplicaSet(t *testing.T) {
	good := func() *appsv1.ReplicaSet {
		d := goodDeployment()
		return &appsv1.ReplicaSet{ObjectMeta: d.ObjectMeta, Spec: appsv1.ReplicaSetSpec{
			Replicas: d.Spec.Replicas, Selector: d.Spec.Selector, Template: d.Spec.Template}}
	}
	expect(t, validate.ReplicaSet(good()))
	bad := good()
	bad.Spec.Replicas, bad.Spec.MinReadySeconds, bad.Spec.Selector = new(int32(-1)), -1, nil
	expect(t, validate.ReplicaSet(bad), fault{invalid, "spec.replicas", "greater than or equal to 0"},
		fault{invalid, "spec.minReadySeconds", "greater than or equal to 0"}, fault{required, "spec.selector", ""})
	moved := good()
	moved.Spec.Selector.MatchLabels["tier"], moved.Spec.Template.Labels["tier"] = "x", "x"
	expect(t, validate.ReplicaSetUpdate(moved, good()), fault{invalid, "spec.selector", "field is immutable"})
}
