package pod

import (
	"crypto/sha256"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas/share"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// entry is what is remembered of one pod. Its worker owns it, but for stops, evicted, retry
// and what was seen, which r.mu guards. A full node has hundreds: it is kept small.
type entry struct {
	uid     types.UID
	mem     Memory
	order   *share.Lean        // as of this turn, nil for none
	kept    *share.Lean        // the order as last kept on disk
	said    *[sha256.Size]byte // digest of mem.Last, nil if it has not been made
	stops   []*stop
	evicted *Eviction // as asked for, until its worker takes it in
	rare    *rare     // nil while there is nothing of it
	// seen are the pod's sandboxes as last seen. listed is false for a pod that is new
	// since everything was looked at; fresh is true while seen is known to be complete.
	seen          []sandbox.Pod
	listed, fresh bool

	// reported is false until the status is known to have been posted by this agent or the one before.
	reported          bool
	admitted, refused bool // a pod is asked about once
	finished          bool // nothing of it is left here
	retry             bool // what waits for volumes need not wait any more
}

// rare is what is to remember of few pods at a time.
type rare struct {
	messages map[string]string // termination messages, by container id
	since    time.Time         // when it first did not fit
	asked    time.Time         // when its removal was asked for
	size     sizing
}

// seldom is what there is of it, to read.
func (e *entry) seldom() rare {
	if e.rare == nil {
		return rare{}
	}
	return *e.rare
}

// few is to be changed.
func (e *entry) few() *rare {
	if e.rare == nil {
		e.rare = &rare{}
	}
	return e.rare
}

// entry finds what is remembered of k. A different uid is a different pod.
func (r *Reconciler) entry(k sandbox.Key, uid types.UID) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.pods[k]
	if e == nil {
		e = &entry{uid: uid}
		r.pods[k] = e
	}
	if uid != "" && e.uid != uid {
		r.puller.Forget(e.uid)
		e = &entry{uid: uid, stops: e.stops, seen: e.seen, listed: e.listed, fresh: e.fresh, evicted: e.evicted}
		r.pods[k] = e
	}
	return e
}
