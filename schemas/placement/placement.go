// Package placement is how the scheduler explains itself: why a pod is where it is, or
// on no node, and where pods would go that are not there yet.
//
// It holds types only; the scheduler fills them in, the command line prints them. What
// always holds: amounts are in the resource's own unit as Kubernetes writes it, and the
// nodes come with the one first that is best, or nearest to fitting.
package placement

import (
	"time"

	v1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
)

// Explanation is about one pod.
type Explanation struct {
	// Pod is namespace/name; Node is where it is, "" for nowhere.
	Pod  string `json:"pod"`
	Node string `json:"node,omitempty"`
	// Message is the verdict in Kubernetes' words, for a pod on no node.
	Message string `json:"message,omitempty"`
	// Fits is on how many of all Total nodes the pod fits now, not counting itself.
	Fits  int `json:"fits"`
	Total int `json:"total"`
	// Decided is what decided when the pod was placed, if that is remembered.
	Decided *Decided `json:"decided,omitempty"`
	// Nodes are at most MaxNodes of them, with their scores as if the pod were placed now.
	Nodes []Node `json:"nodes,omitempty"`
	// Change is the nearest change that would let it run.
	Change string `json:"change,omitempty"`
	// Preemption is what making room would cost; NoPreemption why it would not help.
	Preemption   *Preemption `json:"preemption,omitempty"`
	NoPreemption string      `json:"noPreemption,omitempty"`
}

// Decided is a choice that was made.
type Decided struct {
	Node  string    `json:"node"`
	At    time.Time `json:"at"`
	Score Score     `json:"score"` // of the node, when it was chosen
}

// MaxNodes is how many nodes an explanation tells about.
const MaxNodes = 200

// Node is what one node has for the pod, or against it.
type Node struct {
	Name    string   `json:"name"`
	Fits    bool     `json:"fits"`
	Refused []Reason `json:"refused,omitempty"`
	// Change is what would let the pod run here.
	Change string `json:"change,omitempty"`
	Score  *Score `json:"score,omitempty"`
}

// Reason is one constraint that refuses a node.
type Reason struct {
	// Constraint is the name of Kubernetes' plugin: NodeResourcesFit, TaintToleration, …
	Constraint string `json:"constraint"`
	Message    string `json:"message"`
	// Resource, Asked, Free and Short say how far short the node is; HeldBy who has it.
	Resource string   `json:"resource,omitempty"`
	Asked    string   `json:"asked,omitempty"`
	Free     string   `json:"free,omitempty"`
	Short    string   `json:"short,omitempty"`
	HeldBy   []Holder `json:"heldBy,omitempty"`
}

// Holder is a pod that holds something.
type Holder struct {
	Pod      string `json:"pod"`
	Amount   string `json:"amount,omitempty"`
	Priority int32  `json:"priority"`
}

// Score is a node's score: each part 0 to 100 times its weight, as in Kubernetes.
type Score struct {
	ResourcesFit       float64 `json:"resourcesFit"`
	BalancedAllocation float64 `json:"balancedAllocation"`
	ImageLocality      float64 `json:"imageLocality"`
	NodeAffinity       float64 `json:"nodeAffinity"`
	TaintToleration    float64 `json:"taintToleration"`
	TopologySpread     float64 `json:"topologySpread"`
	PodAffinity        float64 `json:"podAffinity"`
	Total              float64 `json:"total"`
}

// Preemption is which pods would have to leave a node.
type Preemption struct {
	Node    string   `json:"node"`
	Victims []Holder `json:"victims"`
	// Violations is how many of them their PodDisruptionBudgets do not allow to go.
	Violations int `json:"budgetViolations"`
}

// Query asks the scheduler: about one pod, or where others would go.
type Query struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	// Pods are templates, each so many times, in the order in which they would come.
	Pods []Proposal `json:"pods,omitempty"`
	// Groups are pod groups that are not there yet either, or not so.
	Groups []*schedulingv1beta1.PodGroup `json:"groups,omitempty"`
}

// Proposal is pods that are not there yet.
type Proposal struct {
	Pod   *v1.Pod `json:"pod"`
	Count int     `json:"count"`
}

// MaxProposed is how many pods a query may propose.
const MaxProposed = 10_000

// Plan is where proposed pods would go.
type Plan struct {
	Placements []Placement `json:"placements"`
}

// Placement is what would become of the pods of one proposal.
type Placement struct {
	Pod string `json:"pod"`
	// Nodes is how many would go to each node.
	Nodes map[string]int `json:"nodes,omitempty"`
	// Unplaced is how many would fit nowhere, and Message why the first of them would not.
	Unplaced int    `json:"unplaced,omitempty"`
	Message  string `json:"message,omitempty"`
}
