package access

import (
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/refer"
)

// Source is what the node rules read.
type Source interface {
	Get(ref schemas.Ref) (schemas.Object, bool)
	List(r schemas.Resource, ns schemas.Namespace) []schemas.Object
}

// Nodes are the rules for agents: Kubernetes' node authorizer and NodeRestriction,
// as far as agents here need them.
type Nodes struct {
	State Source
	// Placed tells which pods are assigned to a node; nil lists them all. An index
	// makes reading a Secret cheap on a large cluster.
	Placed func(schemas.NodeName) []*v1.Pod
	// May answers for what roles allow beyond these rules; nil: nothing.
	May Authorizer
}

// Authorize implements Authorizer.
func (n Nodes) Authorize(a Attributes) (bool, string) {
	node, ok := a.User.Node()
	if !ok {
		return false, ""
	}
	if a.Verb == api.VerbState {
		return n.state(a, node)
	}
	switch a.Resource {
	case schemas.Nodes:
		return n.node(a, node)
	case schemas.Pods:
		return n.pod(a, node)
	case schemas.ConfigMaps, schemas.Secrets, schemas.ServiceAccounts:
		return n.reference(a, node)
	case schemas.ClusterTrustBundles:
		return n.bundles(a, node)
	case schemas.PodCertificateRequests:
		return n.certificateRequests(a, node)
	case schemas.Events:
		switch a.Verb {
		case api.VerbCreate, api.VerbUpdate, api.VerbPatch:
			return true, ""
		}
	case schemas.Leases:
		return n.lease(a, node)
	case schemas.SubjectAccessReviews: // before it lets a user reach into a pod
		return a.Verb == api.VerbCreate, ""
	case schemas.Namespaces, schemas.PriorityClasses, schemas.RuntimeClasses, schemas.CSIDrivers:
		return a.Verb == api.VerbGet, ""
	}
	return false, ""
}

// state: only its own work orders, its own Node and what it wrote itself.
func (n Nodes) state(a Attributes, node schemas.NodeName) (bool, string) {
	for _, f := range a.Filters {
		assigned := strings.TrimSuffix(bus.AssignedFilter(node), ">")
		observed := strings.TrimSuffix(bus.ObservedFilter(node), ">")
		if !strings.HasPrefix(f, assigned) && !strings.HasPrefix(f, observed) && (f == "" || f != bus.OwnNodeFilter(node)) {
			return false, fmt.Sprintf("node %q may only list its own state", node)
		}
	}
	return len(a.Filters) > 0, ""
}

func (n Nodes) node(a Attributes, node schemas.NodeName) (bool, string) {
	own := a.Name == schemas.Name(node)
	switch a.Verb {
	case api.VerbCreate:
		// The Guard compares the name in the body.
		return a.Subresource == "", ""
	case api.VerbGet:
		return own, otherNode(node)
	case api.VerbUpdate, api.VerbPatch:
		return own && (a.Subresource == "" || a.Subresource == "status"), otherNode(node)
	case api.VerbList, api.VerbWatch:
		return own || selects(a.FieldSelector, "metadata.name", string(node)), otherNode(node)
	}
	return false, ""
}

func otherNode(node schemas.NodeName) string {
	return fmt.Sprintf("node %q is not allowed to reach another node", node)
}

func (n Nodes) pod(a Attributes, node schemas.NodeName) (bool, string) {
	const why = "can only reach pods that are assigned to the requesting node"
	switch a.Verb {
	case api.VerbList, api.VerbWatch:
		return selects(a.FieldSelector, "spec.nodeName", string(node)), "can only list and watch pods with the field selector spec.nodeName"
	case api.VerbGet, api.VerbDelete:
		if a.Subresource != "" {
			return false, ""
		}
	case api.VerbUpdate, api.VerbPatch:
		if a.Subresource != "status" {
			return false, ""
		}
	case api.VerbCreate:
		if a.Subresource != "eviction" {
			return false, ""
		}
	default:
		return false, ""
	}
	obj, ok := n.State.Get(schemas.Ref{Resource: schemas.Pods, Namespace: a.Namespace, Name: a.Name})
	if !ok {
		// What is gone may be looked for: the agent's delete then gets its NotFound.
		return true, ""
	}
	p, ok := obj.(*v1.Pod)
	return ok && p.Spec.NodeName == string(node), why
}

// reference: only objects that a pod of this node refers to, by name.
func (n Nodes) reference(a Attributes, node schemas.NodeName) (bool, string) {
	token := a.Resource == schemas.ServiceAccounts && a.Subresource == "token" && a.Verb == api.VerbCreate
	if !token && (a.Verb != api.VerbGet || a.Subresource != "") || a.Name == "" {
		return false, ""
	}
	for _, p := range n.placed(node, a.Namespace) {
		if p.Namespace == string(a.Namespace) && refers(p, a.Resource, string(a.Name)) {
			return true, ""
		}
	}
	return false, fmt.Sprintf("no relationship found between node '%s' and this object", node)
}

// bundles: one by name, or all of a signer, if a pod of this node refers to them. Kubernetes lets
// nodes read all.
func (n Nodes) bundles(a Attributes, node schemas.NodeName) (bool, string) {
	ref := schemas.Ref{Resource: a.Resource, Name: a.Name}
	switch {
	case a.Subresource != "":
		return false, ""
	case a.Verb == api.VerbList:
		signer, ok := required(a.FieldSelector, "spec.signerName")
		if !ok {
			return false, "can only list clustertrustbundles with the field selector spec.signerName"
		}
		if ref = refer.Anchors(signer); refer.Signer(ref) == "" {
			return false, ""
		}
	case a.Verb != api.VerbGet || refer.Signer(ref) != "":
		return false, ""
	}
	for _, p := range n.placed(node, "") {
		if slices.Contains(refer.Objects(p), ref) {
			return true, ""
		}
	}
	return false, fmt.Sprintf("no relationship found between node '%s' and this object", node)
}

func (n Nodes) placed(node schemas.NodeName, ns schemas.Namespace) []*v1.Pod {
	if n.Placed != nil {
		return n.Placed(node)
	}
	var pods []*v1.Pod
	for _, o := range n.State.List(schemas.Pods, ns) {
		if p, ok := o.(*v1.Pod); ok && p.Spec.NodeName == string(node) {
			pods = append(pods, p)
		}
	}
	return pods
}

func (n Nodes) lease(a Attributes, node schemas.NodeName) (bool, string) {
	switch a.Verb {
	case api.VerbGet, api.VerbUpdate, api.VerbPatch, api.VerbDelete:
		return a.Namespace == "kube-node-lease" && a.Name == schemas.Name(node), "can only access the node lease with the same name as the requesting node"
	case api.VerbCreate:
		return a.Namespace == "kube-node-lease", ""
	}
	return false, ""
}

// selects tells whether selector requires field to be value.
func selects(selector, field, value string) bool {
	got, exact := required(selector, field)
	return exact && got == value
}

// required is the value that selector requires field to have, if it requires one.
func required(selector, field string) (string, bool) {
	s, err := fields.ParseSelector(selector)
	if err != nil {
		return "", false
	}
	return s.RequiresExactMatch(field)
}
