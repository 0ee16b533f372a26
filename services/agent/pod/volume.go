package pod

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/image"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// Volumes makes what containers mount.
type Volumes interface {
	// Prepare makes those of the pod's volumes that are not there yet: for none, it is free.
	Prepare(ctx context.Context, p *v1.Pod) error
	// Mounts are the mounts of one container whose environment is vars.
	Mounts(p *v1.Pod, c *v1.Container, vars map[string]string) ([]sandbox.Mount, error)
	// ReadFile reads a small file of one of the pod's volumes.
	ReadFile(p *v1.Pod, volume, path string) ([]byte, error)
	// Remove removes all volumes of a pod that does not run any more.
	Remove(uid types.UID) error
}

// failedMount is why a pod whose volumes cannot be made waits.
const failedMount = "FailedMount"

// volumes makes the pod's volumes before anything of it is started, and tells whether
// they are there. A pod whose volumes cannot be made stays ContainerCreating.
func (l *launching) volumes(ctx context.Context) (bool, error) {
	if !l.imageVolumes(ctx) {
		return false, nil
	}
	err := l.Volumes.Prepare(ctx, l.pod)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err == nil {
		return true, nil
	}
	if errors.Is(err, sandbox.ErrImageUnknown) {
		l.missing() // it was removed since
	}
	for _, one := range each(err) {
		l.Recorder.Event(l.pod, v1.EventTypeWarning, failedMount, one.Error())
	}
	l.hold(failedMount, err.Error(), time.Time{})
	return false, nil
}

// each takes joined errors apart.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// hold has the pod's starts wait until then, or for its back-off, or until Retry. Its containers
// say why if it is for an image.
func (l *launching) hold(reason, message string, until time.Time) {
	f := l.e.mem.Sandbox.Again(l.Now())
	if !until.IsZero() {
		f.Until = until
	}
	l.e.mem.Sandbox = f
	one := Failure{Hold: Hold{Until: f.Until}, Reason: "ContainerCreating", OfVolume: true}
	if reason == errNeverPull || reason == pullBackOff {
		one.Reason, one.Message = reason, message
	}
	for _, c := range l.containers {
		l.e.mem.Failures = with(l.e.mem.Failures, c.spec.Name, one)
	}
}

// Why an image volume's image is not here.
const (
	errNeverPull = "ErrImageNeverPull"
	pullBackOff  = "ImagePullBackOff"
)

// imageUse is a volume's use of an image: no container can be called so.
func (l *launching) imageUse(v *v1.Volume) image.Use {
	return image.Use{Pod: l.pod.UID, Container: "volume/" + v.Name}
}

// missing has the images of the pod's volumes looked for again.
func (l *launching) missing() {
	for i := range l.pod.Spec.Volumes {
		if v := &l.pod.Spec.Volumes[i]; v.Image != nil {
			l.puller.MarkMissing(l.imageUse(v))
		}
	}
}

// pullWait is when a pull that has said nothing is looked at again.
const pullWait = 5 * time.Minute

// imageVolumes tells whether the images that the pod mounts are here, and has them pulled.
func (l *launching) imageVolumes(ctx context.Context) bool {
	k := KeyOf(l.pod)
	for i := range l.pod.Spec.Volumes {
		v := &l.pod.Spec.Volumes[i]
		if v.Image == nil {
			continue
		}
		u := l.imageUse(v)
		policy := image.Policy(v.Image.Reference, v.Image.PullPolicy)
		switch st := l.puller.State(u); {
		case st.Phase == image.Present:
			continue
		case st.Phase == image.Failed && policy == v1.PullNever:
			l.hold(errNeverPull, fmt.Sprintf("Container image %q is not present with pull policy of Never", v.Image.Reference), time.Time{})
			if !l.Now().Before(st.Until) {
				l.puller.MarkMissing(u)
			}
			return false
		case st.Phase == image.Failed && l.Now().Before(st.Until):
			l.hold(pullBackOff, fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", v.Image.Reference, st.Message), st.Until)
			return false
		}
		pod := l.pod
		// Nothing is pulled that is here already, but for the policy Always.
		l.puller.Pull(ctx, u, v.Image.Reference, policy, l.credentials(ctx, pod, v.Image.Reference), func(o image.Outcome) {
			switch {
			case errors.Is(o.Err, image.ErrNever):
				l.Recorder.Event(pod, v1.EventTypeWarning, errNeverPull, fmt.Sprintf("Container image %q is not present with pull policy of Never", o.Image))
			case o.Err != nil:
				l.Recorder.Event(pod, v1.EventTypeWarning, "Failed", fmt.Sprintf("Failed to pull image %q: %v", o.Image, o.Err))
			case !o.Here:
				l.Recorder.Event(pod, v1.EventTypeNormal, "Pulled", fmt.Sprintf("Successfully pulled image %q in %s", o.Image, o.Took.Round(time.Millisecond)))
			}
			l.Retry(k)
		})
		l.hold("PullingImageVolume", fmt.Sprintf("pulling image %q of volume %q", v.Image.Reference, v.Name), l.Now().Add(pullWait))
		return false
	}
	return true
}

// Retry has a pod that waits for its volumes try again now.
func (r *Reconciler) Retry(k sandbox.Key) {
	r.mu.Lock()
	if e := r.pods[k]; e != nil {
		e.retry = true
	}
	r.mu.Unlock()
	r.loop.Add(k)
}

// retried forgets how long the pod was to wait, once Retry was called.
func (r *Reconciler) retried(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !e.retry {
		return
	}
	e.retry = false
	e.mem.Sandbox.Until = time.Time{}
	maps.DeleteFunc(e.mem.Failures, func(_ string, f Failure) bool { return f.OfVolume })
}
