// Package interest knows which nodes' pods refer to which objects, and has the nodes told
// when one of these changes.
//
// It reads the changes of a view and calls what it is given. What always holds: a node
// hears only of objects that a pod placed on it refers to, and of requests of its own; memory grows with the references of
// placed pods and with nothing else.
package interest

import (
	"sync"

	certificatesv1 "k8s.io/api/certificates/v1"
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/refer"
)

// Interest counts references. Safe for concurrent use.
type Interest struct {
	tell func(schemas.NodeName, schemas.Ref)

	mu      sync.Mutex
	started bool
	nodes   map[schemas.Ref]map[schemas.NodeName]int
}

// New returns one that calls tell, which must not block, for each node that a change concerns.
func New(tell func(schemas.NodeName, schemas.Ref)) *Interest {
	return &Interest{tell: tell, nodes: map[schemas.Ref]map[schemas.NodeName]int{}}
}

// Start begins to tell: what the view listed first is no change.
func (i *Interest) Start() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.started = true
}

// Handle takes a change; it is what the view calls.
func (i *Interest) Handle(c view.Change) {
	switch c.Ref.Resource {
	case schemas.Pods:
		i.pod(c)
	case schemas.ConfigMaps, schemas.Secrets:
		i.changed(c.Ref)
	case schemas.PodCertificateRequests:
		if r, ok := c.Object.(*certificatesv1.PodCertificateRequest); ok && (c.Type == view.Deleted || len(r.Status.Conditions) > 0) {
			i.tellOwner(schemas.NodeName(r.Spec.NodeName), c.Ref)
		}
	case schemas.ClusterTrustBundles:
		i.changed(c.Ref)
		// Whose it is never changes.
		if b, ok := c.Object.(*certificatesv1.ClusterTrustBundle); ok && b.Spec.SignerName != "" {
			i.changed(refer.Anchors(b.Spec.SignerName))
		}
	}
}

func (i *Interest) changed(ref schemas.Ref) {
	for _, n := range i.concerned(ref) {
		i.tell(n, ref)
	}
}

// tellOwner tells a node of what its agent has asked for.
func (i *Interest) tellOwner(node schemas.NodeName, ref schemas.Ref) {
	i.mu.Lock()
	started := i.started
	i.mu.Unlock()
	if started && node != "" {
		i.tell(node, ref)
	}
}

func (i *Interest) concerned(ref schemas.Ref) []schemas.NodeName {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.started {
		return nil
	}
	var out []schemas.NodeName
	for n := range i.nodes[ref] {
		out = append(out, n)
	}
	return out
}

func (i *Interest) pod(c view.Change) {
	var old, now *v1.Pod
	old, _ = c.Old.(*v1.Pod)
	now, _ = c.Object.(*v1.Pod)
	if c.Type == view.Deleted {
		if old == nil {
			old = now
		}
		now = nil
	}
	if old != nil && now != nil && old.Spec.NodeName == now.Spec.NodeName &&
		len(old.Spec.EphemeralContainers) == len(now.Spec.EphemeralContainers) {
		return // nearly always: its status has changed
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.count(old, -1)
	i.count(now, 1)
}

func (i *Interest) count(p *v1.Pod, by int) {
	if p == nil || p.Spec.NodeName == "" {
		return
	}
	node := schemas.NodeName(p.Spec.NodeName)
	for _, ref := range refer.Objects(p) {
		if ref.Resource == schemas.ServiceAccounts {
			continue
		}
		if i.nodes[ref] == nil {
			i.nodes[ref] = map[schemas.NodeName]int{}
		}
		i.nodes[ref][node] += by
		if i.nodes[ref][node] <= 0 {
			delete(i.nodes[ref], node)
		}
		if len(i.nodes[ref]) == 0 {
			delete(i.nodes, ref)
		}
	}
}
