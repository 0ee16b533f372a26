package deployment

import (
	appsv1 "k8s.io/api/apps/v1"
)

// roll is one step of a rolling update: make room, or grow the new set, or shrink
// the old ones, whichever is possible first.
func (r *rollout) roll() {
	if r.ensure() {
		return
	}
	if r.grow() {
		return
	}
	if r.shrink() {
		return
	}
	if r.complete(r.status()) {
		r.prune()
	}
}

// room is how many replicas the current set, with n of them now, may have. A set
// that was just made smaller takes room until its pods are really on their way out,
// and while a set has not reported on its newest size, nobody knows: Kubernetes
// counts only what sets are to have, and overshoots for that moment.
func (r *rollout) room(n int32) int32 {
	want := replicas(r.d)
	if !rolling(r.d) {
		return want
	}
	for _, rs := range r.all() {
		if rs.Generation > rs.Status.ObservedGeneration {
			return n
		}
	}
	surge, _ := fences(r.d)
	free := want + surge - occupied(r.all())
	if free <= 0 {
		return n
	}
	return n + min(free, want-n)
}

func (r *rollout) grow() bool {
	n, want := size(r.current), replicas(r.d)
	switch {
	case n == want:
		return false
	case n > want:
		return r.resize(r.current, want)
	}
	return r.resize(r.current, r.room(n))
}

// shrink takes pods from the old sets: first those that do not work anyway, so that
// they cannot block the rollout, then as many as can be spared.
func (r *rollout) shrink() bool {
	if sizes(r.old) == 0 {
		return false
	}
	unavailableNew := size(r.current) - min(r.current.Status.AvailableReplicas, size(r.current))
	spare := sizes(r.all()) - minAvailable(r.d) - unavailableNew
	if spare <= 0 {
		return false
	}
	unhealthy := r.take(spare, func(rs *appsv1.ReplicaSet) int32 {
		return size(rs) - min(rs.Status.AvailableReplicas, size(rs))
	})
	healthy := r.take(available(r.all())-minAvailable(r.d), size)
	return unhealthy+healthy > 0
}

// take removes up to n replicas from the old sets, oldest first, at most some(rs) from each.
func (r *rollout) take(n int32, some func(*appsv1.ReplicaSet) int32) (taken int32) {
	for _, rs := range r.old {
		if taken >= n {
			break
		}
		if k := min(n-taken, some(rs)); k > 0 {
			r.resize(rs, size(rs)-k)
			taken += k
		}
	}
	return taken
}
