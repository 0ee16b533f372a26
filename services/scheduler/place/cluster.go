package place

import (
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

// Cluster is the nodes and what is placed on them. Not safe for concurrent use.
type Cluster struct {
	policy Policy
	byName map[schemas.NodeName]*nodeInfo
	// slots are the nodes by number; nil where one was removed.
	slots []*nodeInfo
	ties  []uint64 // orders equal nodes, by slot
	free  []int
	pods  map[types.UID]placed
	// spaces are the labels of namespaces, and inNamespace their pods that are on a node.
	spaces      map[string]labels.Set
	inNamespace map[string]map[*Pod]*nodeInfo
	// homeless are pods whose node is not known (yet).
	homeless map[schemas.NodeName]map[types.UID]*Pod

	topologies map[string]*topology
	groups     map[types.UID]*tallied  // pods by their owner
	counters   map[string]*tallied     // pods that constraints of classes select
	terms      map[termKey]*term       // what placed pods ask of others
	index      map[indexKey]*listeners // who is told of a pod
	looks      *looks                  // which labels terms look at

	images map[string]int // nodes that have the image
	// nominated is where room is kept for pods whose victims are on their way out.
	nominated map[types.UID]placed
	budgets   map[string]*Budget
	traits    map[*v1.Container]*traits // to be shared, by their first container

	// log is the slots that changed, in order; position is that of its end. epoch changes
	// when nodes themselves did, or what only a look at all of them can tell.
	log      []int32
	position uint64
	epoch    uint64
	// rules changes when there are other terms, which classes may have to look for.
	rules   uint64
	classes map[string]*class
	clock   uint64 // of the classes' use

	order    []int32 // slots by tie, at orderAt
	orderAt  uint64
	feasible []int32 // scratch
	total    []float32
	raw      []float32
	chosen   chosen
}

// chosen is what the last Decide chose by its score: the scale of the scores, and how
// crowded the node was. Without a class it was not by score.
type chosen struct {
	class *class
	slot  int
	scale scale
	crowd float32
}

type placed struct {
	pod  *Pod
	node schemas.NodeName
}

// NewCluster returns an empty cluster whose nodes are scored as policy says.
func NewCluster(policy Policy) *Cluster {
	return &Cluster{
		policy: policy, byName: map[schemas.NodeName]*nodeInfo{}, pods: map[types.UID]placed{},
		spaces: map[string]labels.Set{}, inNamespace: map[string]map[*Pod]*nodeInfo{},
		homeless: map[schemas.NodeName]map[types.UID]*Pod{}, topologies: map[string]*topology{},
		groups: map[types.UID]*tallied{}, counters: map[string]*tallied{}, terms: map[termKey]*term{}, index: map[indexKey]*listeners{}, looks: &looks{},
		images: map[string]int{}, nominated: map[types.UID]placed{}, budgets: map[string]*Budget{}, traits: map[*v1.Container]*traits{}, classes: map[string]*class{},
	}
}

// Len is the number of nodes.
func (c *Cluster) Len() int { return len(c.byName) }

// Node returns the pod's node.
func (c *Cluster) Node(uid types.UID) (schemas.NodeName, bool) {
	p, ok := c.pods[uid]
	return p.node, ok
}

// touch notes that what a slot holds has changed.
func (c *Cluster) touch(slot int) {
	if len(c.log) >= 4*len(c.slots)+64 {
		// A class that far behind looks at every node anyway.
		half := len(c.log) / 2
		c.log = append(c.log[:0], c.log[half:]...)
	}
	c.log = append(c.log, int32(slot))
	c.position++
}

// since returns what changed after position, and false if that is forgotten.
func (c *Cluster) since(position uint64) ([]int32, bool) {
	n := c.position - position
	if n > uint64(len(c.log)) {
		return nil, false
	}
	return c.log[uint64(len(c.log))-n:], true
}

// SetNode adds or replaces a node, which must not be changed afterwards.
func (c *Cluster) SetNode(n *v1.Node) {
	name := schemas.NodeName(n.Name)
	ni := c.byName[name]
	if ni == nil {
		ni = &nodeInfo{slot: c.slot(), pods: map[types.UID]*Pod{}}
		c.ties[ni.slot] = hash(n.Name)
		c.byName[name] = ni
		c.slots[ni.slot] = ni
		c.epoch++
		ni.set(n)
		c.setTopologies(ni)
		for _, p := range c.homeless[name] {
			c.land(p, ni)
		}
		delete(c.homeless, name)
		for _, p := range c.nominated {
			if p.node == name {
				ni.nominated = append(ni.nominated, p.pod)
			}
		}
	} else if !sameShape(ni.node, n) {
		c.epoch++
		ni.set(n)
		c.setTopologies(ni)
	} else {
		ni.set(n)
	}
	c.setImages(ni, n.Status.Images)
	c.touch(ni.slot)
}

// slot returns a number for a new node.
func (c *Cluster) slot() int {
	if k := len(c.free); k > 0 {
		s := c.free[k-1]
		c.free = c.free[:k-1]
		return s
	}
	c.slots, c.ties = append(c.slots, nil), append(c.ties, 0)
	return len(c.slots) - 1
}

// sameShape tells whether all is the same that is not counted.
func sameShape(a, b *v1.Node) bool {
	return a.Spec.Unschedulable == b.Spec.Unschedulable && maps.Equal(a.Labels, b.Labels) && slices.EqualFunc(a.Spec.Taints, b.Spec.Taints, func(x, y v1.Taint) bool {
		return x.MatchTaint(&y) && x.Value == y.Value
	})
}

func (c *Cluster) setImages(ni *nodeInfo, list []v1.ContainerImage) {
	now := make(map[string]int64, len(list))
	for i := range list {
		for _, name := range list[i].Names {
			now[name] = list[i].SizeBytes
		}
	}
	for name := range ni.images {
		if _, ok := now[name]; !ok {
			c.loseImage(name)
		}
	}
	for name := range now {
		if _, ok := ni.images[name]; !ok {
			c.images[name]++
		}
	}
	ni.images = now
}

func (c *Cluster) loseImage(name string) {
	if c.images[name]--; c.images[name] <= 0 {
		delete(c.images, name)
	}
}

// RemoveNode removes a node; its pods stay known until they are removed.
func (c *Cluster) RemoveNode(name schemas.NodeName) {
	ni := c.byName[name]
	if ni == nil {
		return
	}
	c.epoch++
	lost := make(map[types.UID]*Pod, len(ni.pods))
	for uid, p := range ni.pods {
		lost[uid] = p
		c.leave(p, ni)
	}
	if len(lost) > 0 {
		c.homeless[name] = lost
	}
	for image := range ni.images {
		c.loseImage(image)
	}
	for _, t := range c.topologies {
		t.set(ni.slot, "", false)
	}
	delete(c.byName, name)
	c.slots[ni.slot] = nil
	c.free = append(c.free, ni.slot)
}

// SetPod puts a pod on a node, from where it was if it was elsewhere. Idempotent.
func (c *Cluster) SetPod(p *Pod, node schemas.NodeName) {
	c.RemovePod(p.UID)
	c.Unnominate(p.UID)
	p.traits = c.keep(p.traits)
	c.pods[p.UID] = placed{pod: p, node: node}
	if ni := c.byName[node]; ni != nil {
		c.land(p, ni)
		return
	}
	if c.homeless[node] == nil {
		c.homeless[node] = map[types.UID]*Pod{}
	}
	c.homeless[node][p.UID] = p
}

// RemovePod frees what the pod holds.
func (c *Cluster) RemovePod(uid types.UID) {
	was, ok := c.pods[uid]
	if !ok {
		return
	}
	delete(c.pods, uid)
	if ni := c.byName[was.node]; ni != nil {
		c.leave(was.pod, ni)
		return
	}
	delete(c.homeless[was.node], uid)
	if len(c.homeless[was.node]) == 0 {
		delete(c.homeless, was.node)
	}
}

// land and leave keep all sums over the pods of a node that is there.
func (c *Cluster) land(p *Pod, ni *nodeInfo) {
	ni.add(p, 1)
	c.attend(p, ni, 1)
}

func (c *Cluster) leave(p *Pod, ni *nodeInfo) {
	ni.add(p, -1)
	c.attend(p, ni, -1)
}

// Nominate keeps room on node for p, whose victims are on their way out: pods of lower
// priority do not get it.
func (c *Cluster) Nominate(p *Pod, node schemas.NodeName) {
	c.Unnominate(p.UID)
	c.nominated[p.UID] = placed{p, node}
	if ni := c.byName[node]; ni != nil {
		ni.nominated = append(ni.nominated, p)
		c.touch(ni.slot)
	}
}

// Unnominate gives the room up.
func (c *Cluster) Unnominate(uid types.UID) {
	was, ok := c.nominated[uid]
	if !ok {
		return
	}
	delete(c.nominated, uid)
	if ni := c.byName[was.node]; ni != nil {
		ni.nominated = slices.DeleteFunc(ni.nominated, func(p *Pod) bool { return p.UID == uid })
		c.touch(ni.slot)
	}
}

// Nominated is where room is kept for a pod.
func (c *Cluster) Nominated(uid types.UID) (schemas.NodeName, bool) {
	p, ok := c.nominated[uid]
	return p.node, ok
}

// SetNamespace tells a namespace's labels, which namespaceSelectors read.
func (c *Cluster) SetNamespace(name string, set map[string]string) {
	if was, ok := c.spaces[name]; ok && maps.Equal(was, set) {
		return
	}
	c.spaces[name] = set
	c.recount()
}

// RemoveNamespace forgets it.
func (c *Cluster) RemoveNamespace(name string) { delete(c.spaces, name) }

// Holds tells whether the pod is counted on its node as it is. Of containers the same memory
// is the same spec: pods of one template share it.
func (c *Cluster) Holds(pod *v1.Pod) bool {
	p, ok := c.pods[pod.UID]
	return ok && string(p.node) == pod.Spec.NodeName && len(pod.Spec.Containers) > 0 && len(p.pod.spec.Containers) > 0 &&
		&p.pod.spec.Containers[0] == &pod.Spec.Containers[0] && maps.Equal(p.pod.labels, pod.Labels) &&
		p.pod.Terminating == (pod.DeletionTimestamp != nil) && p.pod.group == groupOf(pod) && !p.pod.resizing && !Resizing(pod)
}

// NominatedOn names the pods that room is kept for on a node.
func (c *Cluster) NominatedOn(node schemas.NodeName) (out []types.NamespacedName) {
	if ni := c.byName[node]; ni != nil {
		for _, p := range ni.nominated {
			out = append(out, p.Ref())
		}
	}
	return out
}
