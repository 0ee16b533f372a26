package deployment

import (
	appsv1 "k8s.io/api/apps/v1"

	"github.com/skerry/skerry/services/controller/pod"
)

// recreate is one step of a Recreate: old pods go entirely before new ones come.
func (r *rollout) recreate() {
	if r.current != nil && r.renumber() {
		return
	}
	scaled := false
	for _, rs := range r.old {
		if size(rs) > 0 {
			scaled = r.resize(rs, 0) || scaled
		}
	}
	if scaled || r.oldPodsRun() {
		return
	}
	if r.current == nil {
		r.create()
		return
	}
	if r.resize(r.current, replicas(r.d)) {
		return
	}
	if r.complete(r.status()) {
		r.prune()
	}
}

// oldPodsRun tells whether a pod of an old set may still run, also while it is
// being deleted.
func (r *rollout) oldPodsRun() bool {
	for _, rs := range r.old {
		if rs.Status.Replicas > 0 {
			return true
		}
		for _, p := range r.pods[rs.UID] {
			if !pod.Terminal(p) {
				return true
			}
		}
	}
	return false
}

// prune plans the deletion of the oldest sets beyond the history limit, of those
// that are certainly empty.
func (r *rollout) prune() {
	if r.d.Spec.RevisionHistoryLimit == nil {
		return
	}
	var kept []*appsv1.ReplicaSet
	for _, rs := range r.old {
		if rs.DeletionTimestamp == nil {
			kept = append(kept, rs)
		}
	}
	sortByRevision(kept)
	for _, rs := range kept[:max(0, len(kept)-int(*r.d.Spec.RevisionHistoryLimit))] {
		if size(rs) == 0 && rs.Status.Replicas == 0 && rs.Generation <= rs.Status.ObservedGeneration {
			r.plan.Delete = append(r.plan.Delete, rs)
		}
	}
}
