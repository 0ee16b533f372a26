package deployment

import (
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// The annotations that kubectl and the controllers exchange.
const (
	RevisionAnnotation        = "deployment.kubernetes.io/revision"
	RevisionHistoryAnnotation = "deployment.kubernetes.io/revision-history"
	DesiredAnnotation         = "deployment.kubernetes.io/desired-replicas"
	MaxAnnotation             = "deployment.kubernetes.io/max-replicas"
)

// historyLength bounds the list of revisions that one ReplicaSet has been.
const historyLength = 2000

// notCopied are the Deployment's annotations that say nothing about its sets.
var notCopied = map[string]bool{
	corev1.LastAppliedConfigAnnotation: true,
	RevisionAnnotation:                 true,
	RevisionHistoryAnnotation:          true,
	DesiredAnnotation:                  true,
	MaxAnnotation:                      true,
	appsv1.DeprecatedRollbackTo:        true,
}

// revision is the number of the rollout that last used rs; 0 if it has none.
func revision(rs *appsv1.ReplicaSet) int64 {
	n, _ := strconv.ParseInt(rs.Annotations[RevisionAnnotation], 10, 64)
	return n
}

func byAge(sets []*appsv1.ReplicaSet) []*appsv1.ReplicaSet {
	out := slices.Clone(sets)
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
			return a.CreationTimestamp.Before(&b.CreationTimestamp)
		}
		return a.Name < b.Name
	})
	return out
}

// split finds the set of d's present template, the oldest one if there are several
// (which a rollback to an earlier template relies on), and the others by age.
func split(d *appsv1.Deployment, sets []*appsv1.ReplicaSet) (current *appsv1.ReplicaSet, old []*appsv1.ReplicaSet) {
	for _, rs := range byAge(sets) {
		if current == nil && sameTemplate(&rs.Spec.Template, &d.Spec.Template) {
			current = rs
			continue
		}
		old = append(old, rs)
	}
	return current, old
}

func maxRevision(sets []*appsv1.ReplicaSet) (n int64) {
	for _, rs := range sets {
		n = max(n, revision(rs))
	}
	return n
}

// annotate makes rs carry d's annotations and at least the given revision. A set
// that is used again, after a rollback, gets a new revision and remembers the old.
func annotate(d *appsv1.Deployment, rs *appsv1.ReplicaSet, rev int64) (changed bool) {
	before := maps.Clone(rs.Annotations)
	if rs.Annotations == nil {
		rs.Annotations = map[string]string{}
	}
	for k, v := range d.Annotations {
		if !notCopied[k] {
			rs.Annotations[k] = v
		}
	}
	if was := revision(rs); was < rev {
		rs.Annotations[RevisionAnnotation] = strconv.FormatInt(rev, 10)
		if was > 0 {
			rs.Annotations[RevisionHistoryAnnotation] = appendRevision(rs.Annotations[RevisionHistoryAnnotation], was)
		}
	}
	return !maps.Equal(before, rs.Annotations)
}

func appendRevision(history string, rev int64) string {
	list := strings.FieldsFunc(history, func(r rune) bool { return r == ',' })
	list = append(list, strconv.FormatInt(rev, 10))
	for len(strings.Join(list, ",")) > historyLength {
		list = list[1:]
	}
	return strings.Join(list, ",")
}

// size annotations tell later syncs what the set was scaled for.
func annotateSize(d *appsv1.Deployment, rs *appsv1.ReplicaSet) (changed bool) {
	surge, _ := fences(d)
	want := map[string]string{
		DesiredAnnotation: strconv.Itoa(int(replicas(d))),
		MaxAnnotation:     strconv.Itoa(int(replicas(d) + surge)),
	}
	if rs.Annotations == nil {
		rs.Annotations = map[string]string{}
	}
	for k, v := range want {
		if rs.Annotations[k] != v {
			rs.Annotations[k] = v
			changed = true
		}
	}
	return changed
}

func annotated(rs *appsv1.ReplicaSet, key string) (int32, bool) {
	n, err := strconv.ParseInt(rs.Annotations[key], 10, 32)
	return int32(n), err == nil
}
