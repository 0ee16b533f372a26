package place

import (
	"sort"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/schemas"
)

// Cluster is the nodes and what is placed on them. Not safe for concurrent use.
type Cluster struct {
	nodes  map[schemas.NodeName]*nodeInfo
	sorted []*nodeInfo // by name; nil after a node came or went
	pods   map[types.UID]placed
	// homeless are pods whose node is not known (yet).
	homeless map[schemas.NodeName]map[types.UID]*Pod
}

type placed struct {
	pod  *Pod
	node schemas.NodeName
}

// nodeInfo is a node and the sums over its pods.
type nodeInfo struct {
	node        *v1.Node
	allocatable Resources
	maxPods     int64
	requested   Resources
	pods        map[types.UID]*Pod
	groups      map[types.UID]int
}

// NewCluster returns an empty cluster.
func NewCluster() *Cluster {
	return &Cluster{
		nodes:    map[schemas.NodeName]*nodeInfo{},
		pods:     map[types.UID]placed{},
		homeless: map[schemas.NodeName]map[types.UID]*Pod{},
	}
}

// SetNode adds or replaces a node, which must not be changed afterwards.
func (c *Cluster) SetNode(n *v1.Node) {
	name := schemas.NodeName(n.Name)
	ni := c.nodes[name]
	if ni == nil {
		ni = &nodeInfo{pods: map[types.UID]*Pod{}, groups: map[types.UID]int{}}
		c.nodes[name] = ni
		c.sorted = nil
		for _, p := range c.homeless[name] {
			ni.add(p)
		}
		delete(c.homeless, name)
	}
	ni.node = n
	ni.allocatable = FromList(n.Status.Allocatable)
	pods := n.Status.Allocatable[v1.ResourcePods]
	ni.maxPods = pods.Value()
}

// RemoveNode removes a node; its pods stay known until they are removed.
func (c *Cluster) RemoveNode(name schemas.NodeName) {
	ni := c.nodes[name]
	if ni == nil {
		return
	}
	delete(c.nodes, name)
	c.sorted = nil
	if len(ni.pods) > 0 {
		c.homeless[name] = ni.pods
	}
}

// SetPod puts a pod on a node, from where it was if it was elsewhere. Idempotent.
func (c *Cluster) SetPod(p *Pod, node schemas.NodeName) {
	c.RemovePod(p.UID)
	c.pods[p.UID] = placed{pod: p, node: node}
	if ni := c.nodes[node]; ni != nil {
		ni.add(p)
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
	if ni := c.nodes[was.node]; ni != nil {
		ni.remove(was.pod)
		return
	}
	delete(c.homeless[was.node], uid)
	if len(c.homeless[was.node]) == 0 {
		delete(c.homeless, was.node)
	}
}

// Len is the number of nodes.
func (c *Cluster) Len() int { return len(c.nodes) }

// byName returns the nodes in the order of their names, so that a decision does
// not depend on a map's.
func (c *Cluster) byName() []*nodeInfo {
	if c.sorted == nil {
		c.sorted = make([]*nodeInfo, 0, len(c.nodes))
		for _, n := range c.nodes {
			c.sorted = append(c.sorted, n)
		}
		sort.Slice(c.sorted, func(i, j int) bool { return c.sorted[i].node.Name < c.sorted[j].node.Name })
	}
	return c.sorted
}

func (n *nodeInfo) add(p *Pod) {
	n.pods[p.UID] = p
	n.requested = n.requested.plus(p.Request)
	if p.group != "" {
		n.groups[p.group]++
	}
}

func (n *nodeInfo) remove(p *Pod) {
	delete(n.pods, p.UID)
	n.requested = n.requested.minus(p.Request)
	if p.group != "" {
		if n.groups[p.group]--; n.groups[p.group] == 0 {
			delete(n.groups, p.group)
		}
	}
}
