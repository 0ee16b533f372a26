package validate

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/skerry/skerry/schemas"
)

// changeable lists what an update of a pod may change.
const changeable = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`," +
	"`spec.tolerations` (only additions to existing tolerations)," +
	"`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"

func updatedPod(p, old *v1.Pod) field.ErrorList {
	errs := append(metaUpdate(p, old), wholePod(p)...)
	errs = append(errs, keptAnnotations(metaPath().Child("annotations"), p.Annotations, old.Annotations)...)
	if equality.Semantic.DeepEqual(p.Spec, old.Spec) {
		return errs
	}
	for _, list := range []struct {
		name     string
		now, old []v1.Container
	}{{"containers", p.Spec.Containers, old.Spec.Containers}, {"initContainers", p.Spec.InitContainers, old.Spec.InitContainers}} {
		if len(list.now) != len(list.old) {
			return append(errs, field.Forbidden(specPath().Child(list.name), "pod updates may not add or remove containers"))
		}
	}
	errs = extend(errs,
		sooner(specPath().Child("activeDeadlineSeconds"), p.Spec.ActiveDeadlineSeconds, old.Spec.ActiveDeadlineSeconds),
		onlyAdded(specPath().Child("tolerations"), p.Spec.Tolerations, old.Spec.Tolerations),
		onlyCleared(specPath().Child("schedulingGates"), p.Spec.SchedulingGates, old.Spec.SchedulingGates),
	)
	rest := p.Spec.DeepCopy()
	if len(old.Spec.SchedulingGates) > 0 {
		errs = append(errs, gatedUpdate(rest, &old.Spec)...)
	}
	undo(rest, &old.Spec)
	if changed := changedFields(rest, &old.Spec); len(changed) > 0 {
		errs = append(errs, field.Forbidden(specPath(), fmt.Sprintf(
			"pod updates may not change fields other than %s; changed: %s", changeable, strings.Join(changed, ", "))))
	}
	return errs
}

// EphemeralContainersUpdate checks what the subresource ephemeralcontainers makes of a
// pod: it may add some, and change none of those that are there.
func EphemeralContainersUpdate(obj, old schemas.Object) field.ErrorList {
	return update(obj, old, func(p, old *v1.Pod) field.ErrorList {
		errs := append(metaUpdate(p, old), wholePod(p)...)
		at := specPath().Child("ephemeralContainers")
		for _, was := range old.Spec.EphemeralContainers {
			i := slices.IndexFunc(p.Spec.EphemeralContainers, func(c v1.EphemeralContainer) bool { return c.Name == was.Name })
			switch {
			case i < 0:
				errs = append(errs, field.Forbidden(at, fmt.Sprintf("existing ephemeral containers %q may not be removed\n", was.Name)))
			case !equality.Semantic.DeepEqual(p.Spec.EphemeralContainers[i], was):
				errs = append(errs, field.Forbidden(at, fmt.Sprintf("existing ephemeral containers %q may not be changed\n", was.Name)))
			}
		}
		return errs
	})
}

// undo takes back in s the changes that are allowed, so that the others remain.
func undo(s, old *v1.PodSpec) {
	for i := range s.Containers {
		s.Containers[i].Image = old.Containers[i].Image
	}
	for i := range s.InitContainers {
		s.InitContainers[i].Image = old.InitContainers[i].Image
	}
	s.ActiveDeadlineSeconds = old.ActiveDeadlineSeconds
	s.Tolerations = old.Tolerations
	s.SchedulingGates = old.SchedulingGates
	now, was := s.TerminationGracePeriodSeconds, old.TerminationGracePeriodSeconds
	if was != nil && *was < 0 && now != nil && *now == 1 {
		s.TerminationGracePeriodSeconds = was
	}
}

// changedFields names the fields that differ, so that nobody has to search for them.
func changedFields(s, old *v1.PodSpec) []string {
	var out []string
	now, was := reflect.ValueOf(s).Elem(), reflect.ValueOf(old).Elem()
	for i := range now.NumField() {
		if equality.Semantic.DeepEqual(now.Field(i).Interface(), was.Field(i).Interface()) {
			continue
		}
		name, _, _ := strings.Cut(now.Type().Field(i).Tag.Get("json"), ",")
		out = append(out, "spec."+name)
	}
	return out
}

// sooner lets a deadline be set once, and then only be brought forward.
func sooner(p *field.Path, now, old *int64) field.ErrorList {
	switch {
	case now == nil && old == nil:
		return nil
	case now == nil:
		return field.ErrorList{field.Invalid(p, nil, "must not update from a positive integer to nil value")}
	case *now < 0 || *now > math.MaxInt32:
		return field.ErrorList{field.Invalid(p, *now, validation.InclusiveRangeError(0, math.MaxInt32))}
	}
	return when(old != nil && *now > *old, field.Invalid(p, *now, "must be less than or equal to previous value"))
}

// onlyAdded keeps the tolerations that there were, but for how long they last.
func onlyAdded(p *field.Path, now, old []v1.Toleration) field.ErrorList {
	for _, was := range old {
		kept := slices.ContainsFunc(now, func(t v1.Toleration) bool {
			t.TolerationSeconds = was.TolerationSeconds
			return equality.Semantic.DeepEqual(t, was)
		})
		if !kept {
			return field.ErrorList{field.Forbidden(p, "existing toleration can not be modified except its tolerationSeconds")}
		}
	}
	return nil
}

// onlyCleared lets scheduling gates go, but not come.
func onlyCleared(p *field.Path, now, old []v1.PodSchedulingGate) field.ErrorList {
	var errs field.ErrorList
	for i, g := range now {
		errs = append(errs, when(!slices.Contains(old, g), field.Forbidden(p.Index(i).Child("name"),
			fmt.Sprintf("only deletion is allowed, but found new scheduling gate '%s'", g.Name)))...)
	}
	return errs
}

// gatedUpdate lets a pod that waits for its gates be narrowed to fewer nodes, and
// takes back those changes in s.
func gatedUpdate(s, old *v1.PodSpec) field.ErrorList {
	var errs field.ErrorList
	for key, value := range old.NodeSelector {
		if now, ok := s.NodeSelector[key]; !ok || now != value {
			errs = field.ErrorList{field.Invalid(specPath().Child("nodeSelector"), s.NodeSelector,
				"only additions to spec.nodeSelector are allowed (no mutations or deletions)")}
		}
	}
	s.NodeSelector = old.NodeSelector
	var now, was *v1.NodeAffinity
	if s.Affinity != nil {
		now = s.Affinity.NodeAffinity
	}
	if old.Affinity != nil {
		was = old.Affinity.NodeAffinity
	}
	errs = append(errs, narrower(specPath().Child("affinity", "nodeAffinity", requiredTerms, "nodeSelectorTerms"), nodeTerms(now), nodeTerms(was))...)
	if s.Affinity == nil {
		s.Affinity = &v1.Affinity{}
	}
	s.Affinity.NodeAffinity = was
	if old.Affinity == nil && *s.Affinity == (v1.Affinity{}) {
		s.Affinity = nil
	}
	return errs
}

func nodeTerms(a *v1.NodeAffinity) []v1.NodeSelectorTerm {
	if a == nil || a.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	return a.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
}

// narrower checks that each term only gained requirements. Terms are alternatives, so
// another term would widen the choice.
func narrower(p *field.Path, now, old []v1.NodeSelectorTerm) field.ErrorList {
	if len(old) == 0 {
		return nil
	}
	if len(now) != len(old) {
		return field.ErrorList{field.Invalid(p, len(now), "no additions/deletions to non-empty NodeSelectorTerms list are allowed")}
	}
	var errs field.ErrorList
	for i := range old {
		// An empty term matches nothing: whatever is added to it widens the choice.
		empty := len(old[i].MatchExpressions)+len(old[i].MatchFields) == 0 && len(now[i].MatchExpressions)+len(now[i].MatchFields) > 0
		kept := startsWith(now[i].MatchExpressions, old[i].MatchExpressions) && startsWith(now[i].MatchFields, old[i].MatchFields)
		errs = append(errs, when(empty || !kept, field.Invalid(p.Index(i), "", "only additions are allowed (no mutations or deletions)"))...)
	}
	return errs
}

func startsWith(now, old []v1.NodeSelectorRequirement) bool {
	return len(now) >= len(old) && equality.Semantic.DeepEqual(now[:len(old)], old)
}
