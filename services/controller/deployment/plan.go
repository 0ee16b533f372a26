package deployment

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Plan is one step of a rollout. Applying it changes the state, which leads to the
// next plan; the plan of a finished rollout changes nothing.
type Plan struct {
	// Create is the ReplicaSet of the present template, if it is missing.
	Create *appsv1.ReplicaSet
	// Update are sets whose size or annotations change.
	Update []Change
	// Delete are sets beyond the history limit.
	Delete []*appsv1.ReplicaSet
	// Revision is what the Deployment's revision annotation must become; "" if it is right.
	Revision string
	// Status is the whole status as it is to be.
	Status appsv1.DeploymentStatus
	// After is when to look again though nothing changes; 0 for never.
	After time.Duration
}

// Change is a ReplicaSet as it is to be, and the size that it had.
type Change struct {
	Set *appsv1.ReplicaSet
	Was int32
}

// rollout is the state of one planning: working copies that later steps of the same
// plan see changed.
type rollout struct {
	d       *appsv1.Deployment
	current *appsv1.ReplicaSet // nil: not created yet
	old     []*appsv1.ReplicaSet
	pods    map[types.UID][]*corev1.Pod
	now     time.Time
	plan    Plan
	changed map[*appsv1.ReplicaSet]int // index into plan.Update
}

// plan decides the next step for d, whose own ReplicaSets are sets and whose pods
// are listed by the uid of their set. Nothing that is passed in is changed.
func plan(d *appsv1.Deployment, sets []*appsv1.ReplicaSet, pods map[types.UID][]*corev1.Pod, now time.Time) Plan {
	r := &rollout{d: d.DeepCopy(), pods: pods, now: now, changed: map[*appsv1.ReplicaSet]int{}}
	copies := make([]*appsv1.ReplicaSet, len(sets))
	for i, rs := range sets {
		copies[i] = rs.DeepCopy()
	}
	r.current, r.old = split(d, copies)
	if d.DeletionTimestamp != nil {
		r.report(false)
		return r.plan
	}
	r.notePause()
	switch {
	case d.Spec.Paused:
		r.renumber()
		r.scale()
		r.prune()
		r.report(false)
	case r.scaling():
		r.renumber()
		r.scale()
		r.report(false)
	case rolling(d):
		r.roll()
		r.report(true)
	default:
		r.recreate()
		r.report(true)
	}
	return r.plan
}

// all are the sets that there are, the current one last.
func (r *rollout) all() []*appsv1.ReplicaSet {
	if r.current == nil {
		return r.old
	}
	return append(append([]*appsv1.ReplicaSet{}, r.old...), r.current)
}

// ensure creates the current set, or keeps its revision and annotations up. It
// reports whether that is a step of its own.
func (r *rollout) ensure() bool {
	if r.current == nil {
		r.create()
		return true
	}
	return r.renumber()
}

// renumber gives the current set the newest revision and the Deployment the same.
func (r *rollout) renumber() bool {
	if r.current == nil {
		return false
	}
	was := size(r.current)
	changed := annotate(r.d, r.current, maxRevision(r.old)+1)
	if r.current.Spec.MinReadySeconds != r.d.Spec.MinReadySeconds {
		r.current.Spec.MinReadySeconds = r.d.Spec.MinReadySeconds
		changed = true
	}
	if rev := r.current.Annotations[RevisionAnnotation]; r.d.Annotations[RevisionAnnotation] != rev {
		r.plan.Revision = rev
	}
	if changed {
		r.update(r.current, was)
		return true
	}
	if hasDeadline(r.d) && condition(&r.d.Status, appsv1.DeploymentProgressing) == nil {
		setCondition(&r.d.Status, newCondition(appsv1.DeploymentProgressing, corev1.ConditionTrue, reasonFound,
			fmt.Sprintf("Found new replica set %q", r.current.Name), r.now))
	}
	return false
}

func (r *rollout) create() {
	d := r.d
	hash := templateHash(&d.Spec.Template, d.Status.CollisionCount)
	rs := &appsv1.ReplicaSet{}
	rs.APIVersion, rs.Kind = appsv1.SchemeGroupVersion.String(), "ReplicaSet"
	rs.Name, rs.Namespace = d.Name+"-"+hash, d.Namespace
	rs.OwnerReferences = append(rs.OwnerReferences, kind.Ref(d))
	rs.Spec.Template = *d.Spec.Template.DeepCopy()
	rs.Spec.Template.Labels = withHash(d.Spec.Template.Labels, hash)
	rs.Labels = withHash(d.Spec.Template.Labels, hash)
	rs.Spec.Selector = d.Spec.Selector.DeepCopy()
	rs.Spec.Selector.MatchLabels = withHash(d.Spec.Selector.MatchLabels, hash)
	rs.Spec.MinReadySeconds = d.Spec.MinReadySeconds
	n := r.room(0)
	rs.Spec.Replicas = &n
	annotate(d, rs, maxRevision(r.old)+1)
	annotateSize(d, rs)
	r.plan.Create = rs
	r.plan.Revision = rs.Annotations[RevisionAnnotation]
}

func withHash(labels map[string]string, hash string) map[string]string {
	out := map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: hash}
	for k, v := range labels {
		if k != appsv1.DefaultDeploymentUniqueLabelKey {
			out[k] = v
		}
	}
	return out
}

// resize plans n replicas for rs, together with the annotations about it.
func (r *rollout) resize(rs *appsv1.ReplicaSet, n int32) (scaled bool) {
	was := size(rs)
	noted := annotateSize(r.d, rs)
	if was == n && !noted {
		return false
	}
	rs.Spec.Replicas = &n
	r.update(rs, was)
	return was != n
}

// update plans a write of rs. Several changes of one set make one write.
func (r *rollout) update(rs *appsv1.ReplicaSet, was int32) {
	if i, ok := r.changed[rs]; ok {
		r.plan.Update[i].Set = rs
		return
	}
	r.changed[rs] = len(r.plan.Update)
	r.plan.Update = append(r.plan.Update, Change{Set: rs, Was: was})
}
