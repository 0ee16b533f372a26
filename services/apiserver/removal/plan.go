package removal

import (
	"fmt"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/admit"
)

// Outcome is what is to be done.
type Outcome int

const (
	// Nothing: the object is being deleted already, and no sooner than it is asked now.
	Nothing Outcome = iota
	// Mark: store the changed object; something has to happen before it can go.
	Mark
	// Remove the object.
	Remove
)

// Check validates o by itself.
func Check(o *metav1.DeleteOptions) error {
	if errs := metavalidation.ValidateDeleteOptions(o); len(errs) > 0 {
		return apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "DeleteOptions"}, "", errs)
	}
	return nil
}

// Plan says what deleting obj with o does at now. It changes obj, which must be a copy, but
// nothing that obj shares with others.
func Plan(k *schemas.Kind, obj schemas.Object, o *metav1.DeleteOptions, now time.Time) (Outcome, error) {
	if err := precondition(k, obj, o.Preconditions); err != nil {
		return Nothing, err
	}
	graceful, before := false, obj.GetDeletionGracePeriodSeconds()
	if p, ok := obj.(*v1.Pod); ok {
		pending := false
		if graceful, pending = grace(p, o, now); pending {
			return Nothing, nil
		}
	}
	finalizers := finalizers(obj.GetFinalizers(), o)
	changed := !slices.Equal(finalizers, obj.GetFinalizers()) || before != obj.GetDeletionGracePeriodSeconds()
	obj.SetFinalizers(finalizers)
	if obj.GetDeletionTimestamp() == nil && (len(finalizers) > 0 || waitsForContents(obj)) {
		mark(obj, now, 0)
		changed = true
	}
	switch {
	case graceful:
		return Mark, nil
	case len(finalizers) == 0 && !waitsForContents(obj):
		return Remove, nil
	case changed:
		return Mark, nil
	}
	return Nothing, nil
}

// Finished tells whether an object that an update left like this is to be removed: it
// is being deleted and nothing holds it any more.
func Finished(obj schemas.Object) bool {
	grace := obj.GetDeletionGracePeriodSeconds()
	return obj.GetDeletionTimestamp() != nil && (grace == nil || *grace == 0) &&
		len(obj.GetFinalizers()) == 0 && !waitsForContents(obj)
}

// waitsForContents: a namespace goes when the namespace controller has emptied it and
// taken off its finalizer in spec.
func waitsForContents(obj schemas.Object) bool {
	n, ok := obj.(*v1.Namespace)
	return ok && len(n.Spec.Finalizers) > 0
}

func precondition(k *schemas.Kind, obj schemas.Object, p *metav1.Preconditions) error {
	if p == nil {
		return nil
	}
	if p.UID != nil && *p.UID != obj.GetUID() {
		return admit.Conflict(k, obj.GetName(), fmt.Errorf("Precondition failed: UID in precondition: %v, UID in object meta: %v", *p.UID, obj.GetUID()))
	}
	if p.ResourceVersion != nil && *p.ResourceVersion != obj.GetResourceVersion() {
		return admit.Conflict(k, obj.GetName(), fmt.Errorf("Precondition failed: ResourceVersion in precondition: %v, ResourceVersion in object meta: %v", *p.ResourceVersion, obj.GetResourceVersion()))
	}
	return nil
}

// mark notes that obj is to be gone after seconds.
func mark(obj schemas.Object, now time.Time, seconds int64) {
	at := metav1.Time{Time: now.Add(time.Duration(seconds) * time.Second)}.Rfc3339Copy()
	obj.SetDeletionTimestamp(&at)
	obj.SetDeletionGracePeriodSeconds(&seconds)
	if g := obj.GetGeneration(); g > 0 {
		obj.SetGeneration(g + 1)
	}
}

// grace marks p if its containers need time to end. pending means that p is marked
// already and nothing changes.
func grace(p *v1.Pod, o *metav1.DeleteOptions, now time.Time) (graceful, pending bool) {
	if p.DeletionTimestamp != nil && p.DeletionGracePeriodSeconds != nil {
		was := *p.DeletionGracePeriodSeconds
		if o.GracePeriodSeconds == nil || *o.GracePeriodSeconds >= was {
			return false, true
		}
		seconds := max(*o.GracePeriodSeconds, 0)
		at := metav1.NewTime(p.DeletionTimestamp.Add(time.Duration(seconds-was) * time.Second))
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &at, &seconds
		return seconds > 0, false
	}
	seconds := period(p, o)
	if seconds == 0 {
		return false, false
	}
	mark(p, now, seconds)
	return true, false
}

// period is how long p's containers get, in seconds.
func period(p *v1.Pod, o *metav1.DeleteOptions) int64 {
	seconds := int64(v1.DefaultTerminationGracePeriodSeconds)
	if p.Spec.TerminationGracePeriodSeconds != nil {
		seconds = *p.Spec.TerminationGracePeriodSeconds
	}
	if o.GracePeriodSeconds != nil {
		seconds = *o.GracePeriodSeconds
	}
	if p.Spec.NodeName == "" || p.Status.Phase == v1.PodFailed || p.Status.Phase == v1.PodSucceeded {
		return 0 // no containers run
	}
	if seconds < 0 {
		return 1
	}
	return seconds
}

// finalizers returns have with the garbage collector's finalizers as o asks for them.
func finalizers(have []string, o *metav1.DeleteOptions) []string {
	orphan := slices.Contains(have, metav1.FinalizerOrphanDependents)
	foreground := slices.Contains(have, metav1.FinalizerDeleteDependents)
	switch {
	case o.OrphanDependents != nil:
		orphan, foreground = *o.OrphanDependents, false
	case o.PropagationPolicy != nil:
		orphan = *o.PropagationPolicy == metav1.DeletePropagationOrphan
		foreground = *o.PropagationPolicy == metav1.DeletePropagationForeground
	}
	var out []string
	for _, f := range have {
		if f != metav1.FinalizerOrphanDependents && f != metav1.FinalizerDeleteDependents {
			out = append(out, f)
		}
	}
	if orphan {
		out = append(out, metav1.FinalizerOrphanDependents)
	}
	if foreground {
		out = append(out, metav1.FinalizerDeleteDependents)
	}
	if slices.Equal(out, have) || len(out) == len(have) && subset(out, have) {
		return have
	}
	return out
}

func subset(a, b []string) bool {
	for _, s := range a {
		if !slices.Contains(b, s) {
			return false
		}
	}
	return true
}
