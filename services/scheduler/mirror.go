package scheduler

import (
	"hash/maphash"
	"math"
	"sync"

	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/scheduler/place"
)

// mirror is the cluster as the placing code wants it, kept up by the view's changes.
type mirror struct {
	queue *queue
	// name is the scheduler's: which pods are its own to place.
	name string

	mu      sync.Mutex
	cluster *place.Cluster
	gangs   gangs
	// settled are the work orders that this leader wrote, by pod: from which desired value,
	// at which revision. While both stand there is nothing to compare.
	settled map[digest]settled
}

type settled struct{ desired, assigned store.Revision }

// digest stands for a pod's name: a million names would be a third of what is known of their pods,
// and for the garbage collector to look at each time. Should two pods have one digest, their
// revisions tell them apart.
type digest uint64

var digestSeed = maphash.MakeSeed()

func digestOf(pod schemas.Ref) digest {
	return digest(maphash.Comparable(digestSeed, types.NamespacedName{Namespace: string(pod.Namespace), Name: string(pod.Name)}))
}

func (m *mirror) isSettled(ref schemas.Ref, p view.Parts) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.settled[digestOf(ref)]
	return ok && s.desired == p.Desired.Revision && s.assigned == p.Assigned.Revision && !p.Assigned.Deleted && !p.Desired.Deleted
}

// settle notes that w was written; rev is the revision of the last of its ops.
func (m *mirror) settle(w write, rev store.Revision) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range w.pods {
		if d.order == 0 || w.ops[d.order-1].Value == nil {
			delete(m.settled, digestOf(d.ref))
			continue
		}
		m.settled[digestOf(d.ref)] = settled{desired: d.desired, assigned: rev - store.Revision(len(w.ops)-d.order)}
	}
}

func newMirror(name string, policy place.Policy) *mirror {
	return &mirror{queue: newQueue(), name: name, cluster: place.NewCluster(policy), gangs: gangs{}, settled: map[digest]settled{}}
}

// change takes one change of the view.
func (m *mirror) change(c view.Change) {
	switch o := c.Object.(type) {
	case *v1.Pod:
		m.podChanged(c, o)
	case *v1.Node:
		m.nodeChanged(c, o)
	case *v1.Namespace:
		m.mu.Lock()
		if c.Type == view.Deleted {
			m.cluster.RemoveNamespace(o.Name)
		} else {
			m.cluster.SetNamespace(o.Name, o.Labels)
		}
		m.mu.Unlock()
	case *policyv1.PodDisruptionBudget:
		m.budgetChanged(c, o)
	}
	if c.Ref.Resource == schemas.PodGroups && (c.Part == "" || c.Part == bus.PrefixDesired) { // its status follows from ours
		m.queue.changed()
	}
}

// assume counts a pod on node whose work order is being written, unless it is on a
// node already.
func (m *mirror) assume(pod *v1.Pod, node schemas.NodeName) (on schemas.NodeName, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if on, placed := m.cluster.Node(pod.UID); placed {
		return on, false
	}
	m.cluster.SetPod(place.NewPod(pod), node)
	return node, true
}

func itemOf(ref schemas.Ref, pod *v1.Pod) item {
	return item{ref: ref, priority: priority(pod), made: pod.CreationTimestamp.Unix()}
}

// sameOrder tells whether a change of a pod leaves what it asks for and where it is.
func sameOrder(c view.Change, a, b *v1.Pod) bool {
	return c.Part != "" && c.Part != bus.PrefixDesired && a.UID == b.UID && a.Spec.NodeName == b.Spec.NodeName &&
		finished(a) == finished(b) && !place.Resizing(a) && !place.Resizing(b)
}

func finished(p *v1.Pod) bool {
	return p.Status.Phase == v1.PodSucceeded || p.Status.Phase == v1.PodFailed
}

func (m *mirror) podChanged(c view.Change, pod *v1.Pod) {
	old, _ := c.Old.(*v1.Pod)
	if c.Type == view.Modified && old != nil && sameOrder(c, old, pod) {
		return // its agent told something
	}
	m.mu.Lock()
	if old != nil && old.UID != pod.UID {
		m.cluster.RemovePod(old.UID)
		m.cluster.Unnominate(old.UID)
	}
	freed, joined := false, false
	m.gangs.set(c, pod, m.name)
	node := schemas.NodeName(pod.Spec.NodeName)
	switch {
	case c.Type == view.Deleted || finished(pod):
		delete(m.settled, digestOf(c.Ref))
		m.cluster.RemovePod(pod.UID)
		m.cluster.Unnominate(pod.UID)
		freed = node != ""
	case node != "":
		if !m.cluster.Holds(pod) {
			m.cluster.SetPod(place.NewPod(pod), node)
		}
		joined = true
		freed = old != nil && place.Resizing(old) && !place.Resizing(pod) // it may have shrunk
	case old != nil && old.Spec.NodeName != "":
		m.cluster.RemovePod(pod.UID) // its work order was taken back
	case pod.Status.NominatedNodeName != "" && pod.DeletionTimestamp == nil && (c.Type == view.Added || pod.Spec.SchedulerName != m.name):
		// A former leader, or another scheduler, keeps room for it.
		m.cluster.Nominate(place.NewPod(pod), schemas.NodeName(pod.Status.NominatedNodeName))
	}
	var waiting []schemas.Ref
	if freed {
		for _, name := range m.cluster.NominatedOn(node) {
			waiting = append(waiting, schemas.Ref{Resource: schemas.Pods, Namespace: schemas.Namespace(name.Namespace), Name: schemas.Name(name.Name)})
		}
	}
	m.mu.Unlock()
	it := itemOf(c.Ref, pod)
	if c.Type == view.Deleted {
		m.queue.remove(c.Ref)
		it.priority = math.MaxInt32 // its node counts it until its work order is gone
	}
	m.queue.add(it) // its work order may have to follow
	for _, ref := range waiting {
		m.queue.hurry(ref)
	}
	switch {
	case freed:
		m.queue.changed()
	case joined:
		m.queue.joined()
	}
}

func (m *mirror) nodeChanged(c view.Change, node *v1.Node) {
	m.mu.Lock()
	if c.Type == view.Deleted {
		m.cluster.RemoveNode(schemas.NodeName(node.Name))
	} else {
		m.cluster.SetNode(node)
	}
	m.mu.Unlock()
	if old, ok := c.Old.(*v1.Node); ok && c.Type == view.Modified && sameForPlacing(old, node) {
		return
	}
	m.queue.changed()
}

// sameForPlacing tells whether a node changed in nothing that a filter reads: a
// node's status is posted often, and must not wake every pod that waits.
func sameForPlacing(a, b *v1.Node) bool {
	return equality.Semantic.DeepEqual(a.Status.Allocatable, b.Status.Allocatable) &&
		equality.Semantic.DeepEqual(a.Spec, b.Spec) && equality.Semantic.DeepEqual(a.Labels, b.Labels)
}

func (m *mirror) budgetChanged(c view.Change, b *policyv1.PodDisruptionBudget) {
	selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
	if err != nil || b.Spec.Selector == nil {
		selector = labels.Nothing()
	}
	going := make(map[string]bool, len(b.Status.DisruptedPods))
	for name := range b.Status.DisruptedPods {
		going[name] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.Type == view.Deleted {
		m.cluster.RemoveBudget(b.Namespace, b.Name)
		return
	}
	m.cluster.SetBudget(&place.Budget{Namespace: b.Namespace, Name: b.Name, Selector: selector, Allowed: b.Status.DisruptionsAllowed, Going: going})
}
