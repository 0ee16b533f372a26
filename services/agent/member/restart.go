package member

import (
	"slices"

	v1 "k8s.io/api/core/v1"
)

// Restarts tells whether a container of p that ended with code is to start again: by the
// first of its own rules that fits, else by its own policy, else by the pod's. An
// init container that has done its work, and an ephemeral one, never is.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restart-rules
func (c Container) Restarts(p *v1.Pod, code int) bool {
	switch {
	case c.Sort == Sidecar:
		return true
	case c.Sort == Ephemeral, c.Sort == Init && code == 0:
		return false
	}
	if c.RestartPolicy == nil {
		return fits(p.Spec.RestartPolicy, code)
	}
	if c.rule(code) != nil {
		return true
	}
	return fits(v1.RestartPolicy(*c.RestartPolicy), code)
}

// RestartsAll tells whether the end with code is to restart every container of the pod.
func (c Container) RestartsAll(code int) bool {
	if c.Sort == Ephemeral {
		return false
	}
	r := c.rule(code)
	return r != nil && r.Action == v1.ContainerRestartRuleActionRestartAllContainers
}

// rule is the first rule that fits code, or nil.
func (c Container) rule(code int) *v1.ContainerRestartRule {
	for i := range c.RestartPolicyRules {
		r := &c.RestartPolicyRules[i]
		if r.ExitCodes == nil {
			continue
		}
		listed := slices.Contains(r.ExitCodes.Values, int32(code))
		switch r.ExitCodes.Operator {
		case v1.ContainerRestartRuleOnExitCodesOpIn:
			if listed {
				return r
			}
		case v1.ContainerRestartRuleOnExitCodesOpNotIn:
			if !listed {
				return r
			}
		}
	}
	return nil
}

func fits(policy v1.RestartPolicy, code int) bool {
	switch policy {
	case v1.RestartPolicyNever:
		return false
	case v1.RestartPolicyOnFailure:
		return code != 0
	}
	return true
}
