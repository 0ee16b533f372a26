package admit

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/skerry/skerry/schemas"
)

// The rules are those of Kubernetes' Pod Security Standards, by version.
var standards = sync.OnceValues(func() (policy.Evaluator, error) { return policy.NewEvaluator(policy.DefaultChecks(), nil) })

// lax is the policy of namespaces without labels.
var lax = api.Policy{
	Enforce: api.LevelVersion{Level: api.LevelPrivileged, Version: api.LatestVersion()},
	Audit:   api.LevelVersion{Level: api.LevelPrivileged, Version: api.LatestVersion()},
	Warn:    api.LevelVersion{Level: api.LevelPrivileged, Version: api.LatestVersion()},
}

// policyOf is what ns' labels ask for. One that cannot be read is the strictest there is.
func policyOf(s State, ns string) api.Policy {
	obj, ok := s.Get(schemas.Ref{Resource: schemas.Namespaces, Name: schemas.Name(ns)})
	if !ok {
		return lax
	}
	p, _ := api.PolicyToEvaluate(obj.GetLabels(), lax)
	return p
}

// violations tells in what a pod is not as lv wants it; "" if it is.
func violations(lv api.LevelVersion, m *metav1.ObjectMeta, s *v1.PodSpec) (string, error) {
	if lv.Level == api.LevelPrivileged {
		return "", nil
	}
	e, err := standards()
	if err != nil {
		return "", fmt.Errorf("read Pod Security Standards: %w", err)
	}
	r := policy.AggregateCheckResults(e.EvaluatePod(lv, m, s))
	if r.Allowed {
		return "", nil
	}
	return r.ForbiddenDetail(), nil
}

// Secure refuses a pod that is not as its namespace's labels want pods to be, and a
// namespace whose labels nobody understands. old is nil for a create.
func Secure(s State, k *schemas.Kind, obj, old schemas.Object) error {
	switch o := obj.(type) {
	case *v1.Pod:
		if was, ok := old.(*v1.Pod); ok && !significant(o, was) {
			return nil
		}
		p := policyOf(s, o.Namespace)
		why, err := violations(p.Enforce, &o.ObjectMeta, &o.Spec)
		if err != nil || why == "" {
			return err
		}
		return refusePod(o, fmt.Errorf("violates PodSecurity %q: %s", p.Enforce.String(), why))
	case *v1.Namespace:
		if old != nil && equality.Semantic.DeepEqual(old.GetLabels(), o.Labels) {
			return nil
		}
		_, errs := api.PolicyToEvaluate(o.Labels, lax)
		return Invalid(k, o.Name, errs)
	}
	return nil
}

// significant tells whether a changed pod is to be looked at again: images, deadlines
// and tolerations decide nothing.
func significant(pod, old *v1.Pod) bool {
	plain := func(p *v1.Pod) *v1.PodSpec {
		s := p.DeepCopy().Spec
		s.Tolerations, s.ActiveDeadlineSeconds, s.NodeName, s.SchedulingGates, s.NodeSelector, s.Affinity = nil, nil, "", nil, nil, nil
		for _, list := range [][]v1.Container{s.InitContainers, s.Containers} {
			for i := range list {
				list[i].Image, list[i].Resources = "", v1.ResourceRequirements{}
			}
		}
		return &s
	}
	return !equality.Semantic.DeepEqual(plain(pod), plain(old)) || annotated(pod) != annotated(old)
}

// annotated are the annotations that the standards look at.
func annotated(p *v1.Pod) string {
	var found []string
	for key, value := range p.Annotations {
		if strings.HasPrefix(key, v1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix) || strings.HasPrefix(key, "seccomp.security.alpha.kubernetes.io/") ||
			strings.HasPrefix(key, "container.seccomp.security.alpha.kubernetes.io/") {
			found = append(found, key+"="+value)
		}
	}
	slices.Sort(found)
	return strings.Join(found, "\n")
}

// Advice is what Pod Security says of an object that it does not refuse.
type Advice struct {
	Warnings []string
	// Audit is what the audit is to record; "" for nothing.
	Audit string
}

// Advise compares a pod, or what pods are to be made of, with what its namespace warns
// about and audits.
func Advise(s State, obj, old schemas.Object) Advice {
	if ns, ok := obj.(*v1.Namespace); ok {
		return Advice{Warnings: offenders(s, ns, old)}
	}
	m, spec := template(obj)
	if spec == nil {
		return Advice{}
	}
	if _, was := template(old); was != nil && equality.Semantic.DeepEqual(spec, was) {
		return Advice{}
	}
	p := policyOf(s, obj.GetNamespace())
	var a Advice
	// What cannot be told is refused where it counts: at the pod.
	if why, err := violations(p.Warn, m, spec); err == nil && why != "" {
		a.Warnings = append(a.Warnings, fmt.Sprintf("would violate PodSecurity %q: %s", p.Warn.String(), why))
	}
	if why, err := violations(p.Audit, m, spec); err == nil && why != "" {
		a.Audit = fmt.Sprintf("would violate PodSecurity %q: %s", p.Audit.String(), why)
	}
	return a
}

// template is the pod in obj, if it has one.
func template(obj schemas.Object) (*metav1.ObjectMeta, *v1.PodSpec) {
	switch o := obj.(type) {
	case *v1.Pod:
		return &o.ObjectMeta, &o.Spec
	case *appsv1.Deployment:
		return &o.Spec.Template.ObjectMeta, &o.Spec.Template.Spec
	case *appsv1.ReplicaSet:
		return &o.Spec.Template.ObjectMeta, &o.Spec.Template.Spec
	case *appsv1.StatefulSet:
		return &o.Spec.Template.ObjectMeta, &o.Spec.Template.Spec
	case *appsv1.DaemonSet:
		return &o.Spec.Template.ObjectMeta, &o.Spec.Template.Spec
	}
	return nil, nil
}

// manyPods bounds how many pods of a namespace are looked at when its level rises.
const manyPods = 3000

// offenders warns about pods that are there already and would not be let in any more.
func offenders(s State, ns *v1.Namespace, old schemas.Object) []string {
	if old == nil {
		return nil
	}
	now, errs := api.PolicyToEvaluate(ns.Labels, lax)
	was, _ := api.PolicyToEvaluate(old.GetLabels(), lax)
	if len(errs) > 0 || now.Enforce == was.Enforce || api.CompareLevels(now.Enforce.Level, was.Enforce.Level) < 0 {
		return nil
	}
	var order []string
	names := map[string][]string{} // by what is wrong
	for i, o := range s.List(schemas.Pods, schemas.Namespace(ns.Name)) {
		p, ok := o.(*v1.Pod)
		if !ok || i >= manyPods {
			continue
		}
		e, err := standards()
		if err != nil {
			return nil
		}
		r := policy.AggregateCheckResults(e.EvaluatePod(now.Enforce, &p.ObjectMeta, &p.Spec))
		if r.Allowed {
			continue
		}
		why := r.ForbiddenReason()
		if names[why] == nil {
			order = append(order, why)
		}
		names[why] = append(names[why], p.Name)
	}
	if len(order) == 0 {
		return nil
	}
	out := []string{fmt.Sprintf("existing pods in namespace %q violate the new PodSecurity enforce level %q", ns.Name, now.Enforce.String())}
	for _, why := range order {
		slices.Sort(names[why])
		who := names[why][0]
		switch n := len(names[why]) - 1; {
		case n == 1:
			who += " (and 1 other pod)"
		case n > 1:
			who += fmt.Sprintf(" (and %d other pods)", n)
		}
		out = append(out, who+": "+why)
	}
	return out
}
