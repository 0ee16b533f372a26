package deployment

import (
	"math"
	"slices"
	"sort"

	appsv1 "k8s.io/api/apps/v1"
)

func sortByRevision(sets []*appsv1.ReplicaSet) {
	sort.SliceStable(sets, func(i, j int) bool { return revision(sets[i]) < revision(sets[j]) })
}

func active(sets []*appsv1.ReplicaSet) (out []*appsv1.ReplicaSet) {
	for _, rs := range sets {
		if size(rs) > 0 {
			out = append(out, rs)
		}
	}
	return out
}

// scaling tells whether the Deployment was resized since its sets were: a rollout
// goes on only after that has been spread over them.
func (r *rollout) scaling() bool {
	for _, rs := range active(r.all()) {
		if n, ok := annotated(rs, DesiredAnnotation); ok && n != replicas(r.d) {
			return true
		}
	}
	return false
}

// scale brings the sets to the Deployment's size without going on with a rollout.
func (r *rollout) scale() {
	want := replicas(r.d)
	if only := r.onlyActive(); only != nil {
		r.resize(only, want)
		return
	}
	if r.saturated() {
		for _, rs := range active(r.old) {
			r.resize(rs, 0)
		}
		return
	}
	if rolling(r.d) {
		r.scaleInProportion()
	}
}

// onlyActive is the set that alone takes part in scaling: the only one with
// replicas, or if none has, the current or newest one. Nil if there are several.
func (r *rollout) onlyActive() *appsv1.ReplicaSet {
	switch sets := active(r.all()); {
	case len(sets) == 1:
		return sets[0]
	case len(sets) > 1:
		return nil
	case r.current != nil:
		return r.current
	case len(r.old) > 0:
		return r.old[len(r.old)-1]
	}
	return nil
}

// saturated tells whether the current set alone is all that is wanted.
func (r *rollout) saturated() bool {
	if r.current == nil {
		return false
	}
	want := replicas(r.d)
	desired, ok := annotated(r.current, DesiredAnnotation)
	return ok && desired == want && size(r.current) == want && r.current.Status.AvailableReplicas == want
}

// scaleInProportion spreads a resize over the sets by their share, in the middle of
// a rollout: a bad new revision then gets no larger share than it has. What
// rounding leaves goes to the largest set.
func (r *rollout) scaleInProportion() {
	sets := active(r.all())
	var allowed int32
	if want := replicas(r.d); want > 0 {
		surge, _ := fences(r.d)
		allowed = want + surge
	}
	add := allowed - sizes(sets)
	newerFirst := add > 0
	sort.SliceStable(sets, func(i, j int) bool {
		a, b := sets[i], sets[j]
		if size(a) != size(b) {
			return size(a) > size(b)
		}
		if newerFirst {
			a, b = b, a
		}
		return slices.Index(byAge([]*appsv1.ReplicaSet{a, b}), a) == 0
	})
	var added int32
	targets := make([]int32, len(sets))
	for i, rs := range sets {
		part := r.proportion(rs, add, added)
		targets[i] = size(rs) + part
		added += part
	}
	for i, rs := range sets {
		if i == 0 {
			targets[i] = max(0, targets[i]+add-added)
		}
		r.resize(rs, targets[i])
	}
}

// proportion is rs's part of add, of which added is given away.
func (r *rollout) proportion(rs *appsv1.ReplicaSet, add, added int32) int32 {
	if size(rs) == 0 || add == 0 || add == added {
		return 0
	}
	if add > 0 {
		return min(r.fraction(rs), add-added)
	}
	return max(r.fraction(rs), add-added)
}

func (r *rollout) fraction(rs *appsv1.ReplicaSet) int32 {
	want := replicas(r.d)
	if want == 0 {
		return -size(rs)
	}
	surge, _ := fences(r.d)
	base, ok := annotated(rs, MaxAnnotation)
	if !ok || base == 0 {
		if base = r.d.Status.Replicas; base == 0 {
			return 0
		}
	}
	grown := float64(size(rs)) * float64(want+surge) / float64(base)
	return int32(math.Round(grown)) - size(rs)
}
