package pod

import (
	"context"
	"fmt"
	"strings"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// Resync looks at every sandbox once and queues the pods whose sandboxes changed
// unnoticed, and those of ordered that have none. The runtime's events are only hints: they can be lost.
func (r *Reconciler) Resync(ctx context.Context, ordered []sandbox.Key) error {
	pods, err := r.Runtime.Pods(ctx)
	if err != nil {
		return fmt.Errorf("look at all pods: %w", err)
	}
	byKey := map[sandbox.Key][]sandbox.Pod{}
	for _, p := range pods {
		byKey[p.Key] = append(byKey[p.Key], p)
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
		if now := fingerprint(ps); !e.look.done || e.look.print != now {
			e.look = look{done: true, print: now}
			keys = append(keys, k)
		}
	}
	return keys
}

// mayExist is false for a pod that is new since everything was looked at: that it
// has no sandbox is known, and looking would cost its start a round trip.
func (r *Reconciler) mayExist(e *entry) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return e.look.done || !r.looked
}

func (r *Reconciler) saw(e *entry, ps []sandbox.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.look = look{done: true, print: fingerprint(ps)}
}

// touched makes the next turn look.
func (r *Reconciler) touched(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.look.done = true
}

func fingerprint(ps []sandbox.Pod) string {
	var b strings.Builder
	for _, p := range ps {
		fmt.Fprintf(&b, "%s %s;", p.ID, p.Infra.State)
		for _, c := range p.Containers {
			fmt.Fprintf(&b, "%s %s;", c.ID, c.State)
		}
	}
	return b.String()
}
