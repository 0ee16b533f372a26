package pod

import (
	"context"
	"errors"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/image"
	"github.com/skerry/skerry/services/agent/member"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// apply carries out a plan. It tells whether the runtime was changed, so that
// there is more to see. Failures that a retry may cure are remembered, with their
// back-off; an error is one that nothing can be told from.
func (r *Reconciler) apply(ctx context.Context, k sandbox.Key, e *entry, in Input, plan Plan) (acted bool, err error) {
	var start []Step
	for _, s := range plan.Steps {
		switch s.Verb {
		case StopContainers:
			r.stop(ctx, k, e, in, s)
			continue
		case Forget:
			return false, r.forget(k, e)
		case Finish:
			return false, r.finish(ctx, k, e, in, plan)
		}
		if r.isStopping(e) {
			continue // what is stopping is looked at again when it has stopped
		}
		switch s.Verb {
		case RunHook:
			r.postStart(ctx, k, in, s)
		case CreateSandbox, StartSandbox, StartContainer, ResumeContainer:
			start = append(start, s)
		case PullImage:
			r.pull(ctx, k, in.Order, s)
		case RemoveSandbox, StopSandbox, RemoveContainer:
			if s.Verb == RemoveSandbox || s.Restart {
				r.report(e, in, plan) // how the containers ended is lost with them
			}
			if s.Verb == RemoveContainer {
				r.unclear(e) // what has ended is not looked at again
			}
			if err := r.remove(ctx, in, s); err != nil {
				return false, err
			}
			acted = true
		}
	}
	if len(start) > 0 {
		r.unclear(e)
		return true, r.launch(ctx, e, in, start)
	}
	return acted, nil
}

func (r *Reconciler) remove(ctx context.Context, in Input, s Step) error {
	var err error
	switch s.Verb {
	case StopSandbox:
		err = r.Runtime.StopSandbox(ctx, s.Sandbox)
		if err == nil && in.Order != nil && terminal(in.Memory.Last.Phase) {
			err = r.Volumes.Remove(in.Order.UID) // nothing of it starts again
		}
	case RemoveContainer:
		err = errors.Join(r.Runtime.RemoveContainer(ctx, s.IDs[0]), r.dropMessage(in, s.IDs[0]))
	case RemoveSandbox:
		if in.Order != nil && s.Why != "" && in.Order.DeletionTimestamp == nil {
			r.Recorder.Event(in.Order, v1.EventTypeNormal, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
		}
		err = r.Runtime.RemoveSandbox(ctx, s.Sandbox)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.Verb, err)
	}
	return nil
}

// forget drops all that is remembered of a pod that is gone.
func (r *Reconciler) forget(k sandbox.Key, e *entry) error {
	if r.isStopping(e) {
		return nil
	}
	if e.uid != "" {
		if err := r.Volumes.Remove(e.uid); err != nil {
			return err
		}
	}
	r.leaveOff(k)
	r.Reporter.Drop(k)
	r.puller.Forget(e.uid)
	r.mu.Lock()
	delete(r.pods, k)
	if r.removals[e.uid] != nil {
		delete(r.removals, e.uid)
	}
	r.mu.Unlock()
	if err := r.Devices.Free(e.uid); err != nil {
		return err
	}
	if r.Resolver != nil {
		if err := r.Resolver.Remove(e.uid); err != nil {
			return fmt.Errorf("remove files of pod %s: %w", k, err)
		}
	}
	if err := r.Keeper.DropOrder(k); err != nil {
		return fmt.Errorf("drop kept order of pod %s: %w", k, err)
	}
	return nil
}

// finish reports the last status and, once that has arrived, has the pod removed.
func (r *Reconciler) finish(ctx context.Context, k sandbox.Key, e *entry, in Input, plan Plan) error {
	e.finished = true
	r.release(in.Order.UID)
	r.report(e, in, plan)
	if !r.Reporter.Posted(k, func() { r.loop.Add(k) }) {
		return nil
	}
	if err := r.Volumes.Remove(in.Order.UID); err != nil {
		return err
	}
	switch under, err := r.removal(in.Order.UID); {
	case under:
		return nil
	case err != nil:
		e.few().asked = time.Time{}
		return fmt.Errorf("remove finished pod %s: %w", k, err)
	}
	// The order goes away when the scheduler has seen it; whatever has the pod looked at until
	// then asks nothing again.
	if left := e.seldom().asked.Add(askAgain).Sub(in.Now); left > 0 {
		r.loop.AddAfter(k, left)
		return nil
	}
	e.few().asked = in.Now
	r.loop.AddAfter(k, askAgain)
	r.askRemoval(ctx, k, in.Order)
	return nil
}

// askAgain is how long an order may outlive the removal of its pod before that is asked for
// once more.
const askAgain = 10 * time.Second

// askRemoval asks for a pod's removal in the background: what a node's pods ask for at the same
// time goes together, and workers that waited for the answer would be as many as go together.
func (r *Reconciler) askRemoval(ctx context.Context, k sandbox.Key, order *v1.Pod) {
	uid := order.UID
	r.mu.Lock()
	r.removals[uid] = nil
	r.mu.Unlock()
	r.background.Go(func() {
		err := r.Reporter.Remove(ctx, order)
		r.mu.Lock()
		e := r.pods[k]
		if err == nil || e == nil || e.uid != uid {
			delete(r.removals, uid)
		} else {
			r.removals[uid] = err
		}
		r.mu.Unlock()
		if err != nil {
			r.loop.Add(k)
		}
	})
}

// removal tells whether a removal is under way, or once why the last one failed.
func (r *Reconciler) removal(uid types.UID) (under bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	err, known := r.removals[uid]
	if err != nil {
		delete(r.removals, uid)
	}
	return known && err == nil, err
}

// pull has an image pulled in the background.
func (r *Reconciler) pull(ctx context.Context, k sandbox.Key, order *v1.Pod, s Step) {
	c, ok := member.Find(order, s.Container)
	if !ok {
		return // plans name containers of the order only
	}
	u := image.Use{Pod: order.UID, Container: c.Name, Attempt: s.Attempt}
	r.Recorder.EventAt(order, c.Path(), v1.EventTypeNormal, "Pulling", fmt.Sprintf("Pulling image %q", c.Image))
	r.puller.Pull(ctx, u, c.Image, image.Policy(c.Image, c.ImagePullPolicy), r.credentials(ctx, order, c.Image), func(o image.Outcome) {
		switch {
		case o.Err != nil:
			r.Recorder.EventAt(order, c.Path(), v1.EventTypeWarning, "Failed", fmt.Sprintf("Failed to pull image %q: %v", o.Image, o.Err))
		case !o.Here:
			r.Recorder.EventAt(order, c.Path(), v1.EventTypeNormal, "Pulled", fmt.Sprintf("Successfully pulled image %q in %s", o.Image, o.Took.Round(time.Millisecond)))
		}
		r.loop.Add(k)
	})
}
