package replicaset

import (
	"maps"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/skerry/skerry/services/controller/pod"
)

// mark is what one pod of a set counts as: a set of the bits below.
type mark uint8

const (
	active      mark = 1 << iota // neither ended nor being deleted
	labeled                      // active, with all labels of the template
	ready                        // active and ready
	available                    // ready for minReadySeconds
	terminating                  // being deleted, and not over yet
	stray                        // not selected any more: to be let go
	bits        = iota
)

// tally is the count of one set's pods. It looks again only at pods that changed, so
// that a set of a hundred thousand is counted as fast as one of three.
type tally struct {
	rules  rules
	pods   map[string]mark
	counts [bits]int32
	// strays are the pods marked so. waiting are those that are ready but not
	// available yet: time alone changes their mark.
	strays, waiting map[string]struct{}
}

// rules are what a mark depends on besides the pod. A set's selector never changes.
type rules struct {
	selector, template labels.Selector
	labels             map[string]string // template's
	minReady           int32
}

func rulesOf(rs *appsv1.ReplicaSet, selector labels.Selector) rules {
	want := rs.Spec.Template.Labels
	return rules{selector, labels.SelectorFromSet(want), want, rs.Spec.MinReadySeconds}
}

// hold tells whether r are rs's still.
func (r rules) hold(rs *appsv1.ReplicaSet) bool {
	return r.minReady == rs.Spec.MinReadySeconds && maps.Equal(r.labels, rs.Spec.Template.Labels)
}

func newTally(r rules) *tally {
	return &tally{rules: r, pods: map[string]mark{}, strays: map[string]struct{}{}, waiting: map[string]struct{}{}}
}

// put counts the pod of that name as p, which is nil if the set has none such, and
// returns how long it has to wait to become available if that is all it lacks.
func (t *tally) put(name string, p *corev1.Pod, now time.Time) (wait time.Duration) {
	var is mark
	if p != nil {
		is, wait = t.rules.mark(p, now)
		t.recount(t.pods[name], is)
		t.pods[name] = is
	} else if was, there := t.pods[name]; there {
		t.recount(was, 0)
		delete(t.pods, name)
	}
	include(t.strays, name, is&stray != 0)
	include(t.waiting, name, wait > 0)
	return wait
}

func include(names map[string]struct{}, name string, in bool) {
	if in {
		names[name] = struct{}{}
	} else {
		delete(names, name)
	}
}

func (t *tally) recount(was, is mark) {
	for i := range t.counts {
		t.counts[i] += int32(is>>i&1) - int32(was>>i&1)
	}
}

// of is how many pods have m, one bit.
func (t *tally) of(m mark) int32 {
	for i := range t.counts {
		if m == 1<<i {
			return t.counts[i]
		}
	}
	return 0
}

// mark is p's, and how long it has to wait to become available if that is all it lacks.
func (r rules) mark(p *corev1.Pod, now time.Time) (m mark, wait time.Duration) {
	switch {
	case !r.selector.Matches(labels.Set(p.Labels)):
		return stray, 0
	case pod.Terminal(p):
		return 0, 0
	case p.DeletionTimestamp != nil:
		return terminating, 0
	}
	m = active
	if r.template.Matches(labels.Set(p.Labels)) {
		m |= labeled
	}
	if pod.Ready(p) {
		m |= ready
	}
	ok, wait := pod.Available(p, r.minReady, now)
	if ok {
		m |= available
	}
	return m, wait
}

// status is rs's with these counts.
func (t *tally) status(rs *appsv1.ReplicaSet) appsv1.ReplicaSetStatus {
	going := t.of(terminating)
	return appsv1.ReplicaSetStatus{
		Replicas:             t.of(active),
		FullyLabeledReplicas: t.of(labeled),
		ReadyReplicas:        t.of(ready),
		AvailableReplicas:    t.of(available),
		TerminatingReplicas:  &going,
		ObservedGeneration:   rs.Generation,
		Conditions:           rs.Status.Conditions,
	}
}
