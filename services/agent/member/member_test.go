package member

import (
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
)

func TestAll(t *testing.T) {
	p := &v1.Pod{Spec: v1.PodSpec{
		InitContainers:      []v1.Container{{Name: "i"}, {Name: "s", RestartPolicy: new(v1.ContainerRestartPolicyAlways)}, {Name: "n", RestartPolicy: new(v1.ContainerRestartPolicyNever)}},
		Containers:          []v1.Container{{Name: "c"}},
		EphemeralContainers: []v1.EphemeralContainer{{EphemeralContainerCommon: v1.EphemeralContainerCommon{Name: "e"}, TargetContainerName: "c"}},
	}}
	var got []string
	for _, c := range All(p) {
		got = append(got, c.Name+":"+string(c.Sort)+c.Target)
	}
	if want := "i:init s:sidecar n:init c:main e:ephemeralc"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if c, ok := Find(p, "e"); !ok || c.Sort != Ephemeral {
		t.Errorf("found %+v", c)
	}
	if _, ok := Find(p, "x"); ok {
		t.Error("found what is not there")
	}
}

func TestRestarts(t *testing.T) {
	const always, onFailure, never = "Always", "OnFailure", "Never"
	in, notIn := v1.ContainerRestartRuleOnExitCodesOpIn, v1.ContainerRestartRuleOnExitCodesOpNotIn
	rule := func(action v1.ContainerRestartRuleAction, op v1.ContainerRestartRuleOnExitCodesOperator, codes ...int32) v1.ContainerRestartRule {
		return v1.ContainerRestartRule{Action: action, ExitCodes: &v1.ContainerRestartRuleOnExitCodes{Operator: op, Values: codes}}
	}
	restart, all := v1.ContainerRestartRuleActionRestart, v1.ContainerRestartRuleActionRestartAllContainers
	for _, tc := range []struct {
		pod, own string
		sort     Sort
		rules    []v1.ContainerRestartRule
		code     int
		want     bool
		all      bool
	}{
		{pod: always, sort: Main, code: 0, want: true},
		{pod: onFailure, sort: Main, code: 0},
		{pod: onFailure, sort: Main, code: 1, want: true},
		{pod: never, sort: Main, code: 1},
		{pod: never, own: always, sort: Main, code: 0, want: true},
		{pod: never, own: onFailure, sort: Main, code: 1, want: true},
		{pod: always, own: never, sort: Main, code: 1},
		{pod: always, sort: Init, code: 0},
		{pod: always, sort: Init, code: 1, want: true},
		{pod: always, own: never, sort: Init, code: 1},
		{pod: never, sort: Init, code: 1},
		{pod: never, own: always, sort: Sidecar, code: 0, want: true},
		{pod: always, sort: Ephemeral, code: 1},
		{pod: always, own: never, sort: Main, rules: []v1.ContainerRestartRule{rule(restart, in, 3, 4)}, code: 4, want: true},
		{pod: always, own: never, sort: Main, rules: []v1.ContainerRestartRule{rule(restart, in, 3, 4)}, code: 5},
		{pod: always, own: never, sort: Main, rules: []v1.ContainerRestartRule{rule(restart, notIn, 3)}, code: 3},
		{pod: always, own: never, sort: Main, rules: []v1.ContainerRestartRule{rule(restart, notIn, 3)}, code: 0, want: true},
		{pod: never, own: never, sort: Main, rules: []v1.ContainerRestartRule{rule(all, in, 42)}, code: 42, want: true, all: true},
		{pod: never, own: never, sort: Main, rules: []v1.ContainerRestartRule{rule(restart, in, 42), rule(all, in, 42)}, code: 42, want: true},
		{pod: never, own: never, sort: Sidecar, rules: []v1.ContainerRestartRule{rule(all, in, 42)}, code: 42, want: true, all: true},
	} {
		p := &v1.Pod{Spec: v1.PodSpec{RestartPolicy: v1.RestartPolicy(tc.pod)}}
		c := Container{Container: &v1.Container{RestartPolicyRules: tc.rules}, Sort: tc.sort}
		if tc.own != "" {
			c.RestartPolicy = new(v1.ContainerRestartPolicy(tc.own))
		}
		if got := c.Restarts(p, tc.code); got != tc.want {
			t.Errorf("%+v: restarts %t", tc, got)
		}
		if got := c.RestartsAll(tc.code); got != tc.all {
			t.Errorf("%+v: restarts all %t", tc, got)
		}
	}
}
