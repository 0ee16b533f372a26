package pod

import (
	"strings"

	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/status"
)

// Evict has a pod fail for the reason that ev gives: its containers are stopped, and
// once none runs its phase is Failed. It does not wait. A pod that has ended, or is to
// end for another reason already, stays as it is. Safe for concurrent use.
func (r *Reconciler) Evict(k sandbox.Key, ev Eviction) {
	r.mu.Lock()
	if e := r.pods[k]; e != nil && (ev.UID == "" || e.uid == ev.UID) {
		e.evicted = &ev
	}
	r.mu.Unlock()
	r.loop.Add(k)
}

// takeEviction moves what was asked for to what is remembered.
func (r *Reconciler) takeEviction(e *entry, order *v1.Pod) {
	r.mu.Lock()
	ev := e.evicted
	e.evicted = nil
	r.mu.Unlock()
	if ev == nil || order == nil || ev.UID != "" && ev.UID != order.UID {
		return
	}
	r.doom(e, order, ev)
}

// doom remembers that a pod must fail. Its status's reason makes that last.
func (r *Reconciler) doom(e *entry, order *v1.Pod, ev *Eviction) {
	if e.mem.Evicted != nil || terminal(e.mem.Last.Phase) || e.mem.Last.Reason != "" {
		return
	}
	e.mem.Evicted = ev
	eventType := v1.EventTypeWarning
	if ev.Reason == "DeadlineExceeded" {
		eventType = v1.EventTypeNormal
	}
	r.Recorder.Event(order, eventType, ev.Reason, strings.TrimPrefix(ev.Message, Rejected))
}

// Rejected begins the message of a pod that the node did not take; its event goes without.
const Rejected = "Pod was rejected: "

func doomed(ev *Eviction) *status.Doomed {
	if ev == nil {
		return nil
	}
	return &status.Doomed{Reason: ev.Reason, Message: ev.Message, Condition: ev.Condition}
}
