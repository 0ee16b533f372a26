package pod

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// Resync looks at every sandbox once and queues the pods whose sandboxes changed
// unnoticed, and those of ordered that have none. The runtime's events are only hints: they can be lost.
// The first time must be before Run.
func (r *Reconciler) Resync(ctx context.Context, ordered []sandbox.Key) error {
	pods, err := r.Runtime.Pods(ctx)
	if err != nil {
		return fmt.Errorf("look at all pods: %w", err)
	}
	r.users.saw(pods, r.wants)
	r.regrant(ordered, pods)
	r.sweep()
	byKey := make(map[sandbox.Key][]sandbox.Pod, max(len(pods), len(ordered)))
	for i, p := range pods {
		if others := byKey[p.Key]; others != nil {
			byKey[p.Key] = append(others, p)
		} else {
			byKey[p.Key] = pods[i : i+1 : i+1] // as a rule there is one
		}
	}
	for _, k := range ordered {
		if _, ok := byKey[k]; !ok {
			byKey[k] = nil
		}
	}
	for _, k := range r.changed(byKey) {
		r.loop.Add(k)
	}
	return nil
}

// wants tells whether a pod is one that this agent looks after.
func (r *Reconciler) wants(uid types.UID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.pods {
		if e.uid == uid {
			return true
		}
	}
	return false
}

// AddAll queues every pod that is known of.
func (r *Reconciler) AddAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k := range r.pods {
		r.loop.Add(k)
	}
}

// changed returns the pods that look otherwise than when last looked at.
func (r *Reconciler) changed(seen map[sandbox.Key][]sandbox.Pod) []sandbox.Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looked = true
	for k := range r.pods {
		if _, ok := seen[k]; !ok {
			seen[k] = nil
		}
	}
	var keys []sandbox.Key
	for k, ps := range seen {
		e := r.pods[k]
		if e == nil {
			e = &entry{}
			r.pods[k] = e
		}
		if !e.listed || !alike(e.seen, ps) {
			// Its worker may be changing it just now: it lists for itself.
			e.listed, e.fresh = true, false
			keys = append(keys, k)
		}
	}
	return keys
}

// look finds the sandboxes of k. A pod that is new since everything was looked at
// has none, and asking would cost its start a round trip; those that are
// known are inspected; what is unclear is listed.
func (r *Reconciler) look(ctx context.Context, k sandbox.Key, e *entry) (seen []sandbox.Pod, blind bool, err error) {
	r.mu.Lock()
	known, fresh, isNew := e.seen, e.fresh, r.looked && !e.listed
	r.mu.Unlock()
	switch {
	case isNew:
		return nil, true, nil
	case fresh:
		for _, p := range known {
			p, err := r.Runtime.Look(ctx, p)
			if errors.Is(err, sandbox.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, false, err
			}
			seen = append(seen, p)
		}
	default:
		if seen, err = r.Runtime.Pod(ctx, k); err != nil {
			return nil, false, err
		}
	}
	r.saw(e, seen)
	return seen, false, nil
}

// saw notes all that there is of a pod: until something is unclear, there is no more.
func (r *Reconciler) saw(e *entry, ps []sandbox.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.seen, e.listed, e.fresh = ps, true, true
}

// unclear has the next turn list.
func (r *Reconciler) unclear(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.listed, e.fresh = true, false
}

// alike tells whether the same containers are there, in the same states.
func alike(a, b []sandbox.Pod) bool {
	return slices.EqualFunc(a, b, func(a, b sandbox.Pod) bool {
		return a.ID == b.ID && a.Infra.State == b.Infra.State && slices.EqualFunc(a.Containers, b.Containers, func(a, b sandbox.Container) bool {
			return a.ID == b.ID && a.State == b.State
		})
	})
}
