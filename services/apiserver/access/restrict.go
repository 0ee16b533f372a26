package access

import (
	"errors"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	v1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// Admit implements Guard: what an agent stores or deletes must be about its own node.
func (n Nodes) Admit(a Attributes, obj, old schemas.Object) error {
	node, ok := a.User.Node()
	if !ok {
		return nil
	}
	refuse := func(why string) error {
		return apierrors.NewForbidden(schema.GroupResource{Group: a.Resource.Group, Resource: a.Resource.Plural}, obj.GetName(), errors.New(why))
	}
	switch o := obj.(type) {
	case *v1.Node:
		if o.Name != string(node) {
			return refuse("node " + quoted(string(node)) + " is not allowed to modify node " + quoted(o.Name))
		}
		was, _ := old.(*v1.Node)
		if why := nodeChange(o, was); why != "" {
			return refuse(why)
		}
	case *v1.Pod:
		// One that was not seen when the request was allowed may be there by now.
		if o.Spec.NodeName != string(node) {
			return refuse("node " + quoted(string(node)) + " can only delete pods with spec.nodeName set to itself")
		}
	case *v1.Event:
		if o.Source.Host != "" && o.Source.Host != string(node) {
			return refuse("can only report events from the requesting node")
		}
	case *certificatesv1.PodCertificateRequest:
		if why := n.certificateRequest(a, node, o); why != "" {
			return refuse(why)
		}
	case *authenticationv1.TokenRequest:
		if why := n.tokenRequest(a, node, o); why != "" {
			return refuse(why)
		}
	default:
		if a.Resource == schemas.Leases && a.Verb == api.VerbCreate && obj.GetName() != string(node) {
			return refuse("can only access the node lease with the same name as the requesting node")
		}
	}
	return nil
}

// tokenRequest says why node may not have a token: only for pods of its own, bound to them and
// with the audiences that they ask for.
func (n Nodes) tokenRequest(a Attributes, node schemas.NodeName, tr *authenticationv1.TokenRequest) string {
	to := tr.Spec.BoundObjectRef
	switch {
	case to == nil || to.Kind != "Pod" || to.APIVersion != "v1" || to.Name == "":
		return "node requested token not bound to a pod"
	case to.UID == "":
		return "node requested token with a pod binding without a uid"
	}
	obj, _ := n.State.Get(schemas.Ref{Resource: schemas.Pods, Namespace: a.Namespace, Name: schemas.Name(to.Name)})
	p, ok := obj.(*v1.Pod)
	switch {
	case !ok || p.UID != to.UID:
		return "the UID in the bound object reference (" + string(to.UID) + ") does not match the UID in record"
	case p.Spec.NodeName != string(node):
		return "node requested token bound to a pod scheduled on a different node"
	case p.Spec.ServiceAccountName != string(a.Name):
		return "node requested a token of another service account than the pod's"
	}
	audiences := tr.Spec.Audiences
	if len(audiences) == 0 {
		audiences = []string{""} // the cluster's own, which no pod has to ask for either
	}
	for _, audience := range audiences {
		if !n.asksFor(p, audience) {
			return "audience " + quoted(audience) + " not found in pod spec volume"
		}
	}
	return ""
}

// asksFor tells whether one of p's volumes asks for a token for audience, itself or by its driver.
func (n Nodes) asksFor(p *v1.Pod, audience string) bool {
	for _, v := range p.Spec.Volumes {
		if v.CSI != nil && n.driverAsksFor(v.CSI.Driver, audience) {
			return true
		}
		if v.Projected == nil {
			continue
		}
		for _, s := range v.Projected.Sources {
			if s.ServiceAccountToken != nil && s.ServiceAccountToken.Audience == audience {
				return true
			}
		}
	}
	return false
}

func (n Nodes) driverAsksFor(driver, audience string) bool {
	obj, _ := n.State.Get(schemas.Ref{Resource: schemas.CSIDrivers, Name: schemas.Name(driver)})
	d, ok := obj.(*storagev1.CSIDriver)
	return ok && slices.ContainsFunc(d.Spec.TokenRequests, func(r storagev1.TokenRequest) bool { return r.Audience == audience })
}

// nodeChange says what an agent may not change of its own node.
func nodeChange(o, was *v1.Node) string {
	var labels map[string]string
	var taints []v1.Taint
	if was != nil {
		labels, taints = was.Labels, was.Spec.Taints
		if !equality.Semantic.DeepEqual(o.Spec.Taints, taints) {
			return "is not allowed to modify taints"
		}
		if len(was.Spec.PodCIDRs) > 0 && !equality.Semantic.DeepEqual(o.Spec.PodCIDRs, was.Spec.PodCIDRs) {
			return "is not allowed to modify podCIDRs"
		}
	}
	for k, v := range o.Labels {
		if was, had := labels[k]; !schemas.NodeMaySet(k) && (!had || was != v) {
			return "is not allowed to modify labels: " + k
		}
	}
	for k := range labels {
		if _, kept := o.Labels[k]; !schemas.NodeMaySet(k) && !kept {
			return "is not allowed to modify labels: " + k
		}
	}
	return ""
}

func quoted(s string) string { return "\"" + s + "\"" }
