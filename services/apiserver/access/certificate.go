package access

import (
	"fmt"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	v1 "k8s.io/api/core/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// verbRequest lets a node ask a signer for certificates of a service account's pods whose volumes
// do not; as in Kubernetes.
const verbRequest = api.Verb("request-serviceaccounts-podcertificate-signer")

// certificateRequests: a node makes requests, which the Guard looks at, and reads its own.
func (n Nodes) certificateRequests(a Attributes, node schemas.NodeName) (bool, string) {
	if a.Subresource != "" {
		return false, "nodes may not access the status subresource of PodCertificateRequests"
	}
	switch a.Verb {
	case api.VerbCreate:
		return true, ""
	case api.VerbGet:
		obj, ok := n.State.Get(schemas.Ref{Resource: a.Resource, Namespace: a.Namespace, Name: a.Name})
		r, typed := obj.(*certificatesv1.PodCertificateRequest)
		// What is gone may be looked for: the agent then gets its NotFound.
		return !ok || typed && string(r.Spec.NodeName) == string(node), fmt.Sprintf("no relationship found between node '%s' and this object", node)
	case api.VerbList, api.VerbWatch:
		return selects(a.FieldSelector, "spec.nodeName", string(node)), "can only list/watch podcertificaterequests with nodeName field selector"
	}
	return false, fmt.Sprintf("nodes may not %s podcertificaterequests", a.Verb)
}

// certificateRequest says why node may not make the request r: it must be for a pod that is there
// and on this node, in the name of all that this pod is.
func (n Nodes) certificateRequest(a Attributes, node schemas.NodeName, r *certificatesv1.PodCertificateRequest) string {
	if a.Verb != api.VerbCreate {
		return fmt.Sprintf("unexpected operation %v", a.Verb)
	}
	s, pod := &r.Spec, string(a.Namespace)+"/"+r.Spec.PodName
	if string(s.NodeName) != string(node) {
		return fmt.Sprintf("PodCertificateRequest.Spec.NodeName=%q, which is not the requesting node %q", s.NodeName, node)
	}
	obj, _ := n.State.Get(schemas.Ref{Resource: schemas.Nodes, Name: schemas.Name(s.NodeName)})
	machine, _ := obj.(*v1.Node)
	switch {
	case machine == nil:
		return fmt.Sprintf("while retrieving node %q named in the PodCertificateRequest: node %q not found", s.NodeName, s.NodeName)
	case machine.UID != s.NodeUID:
		return fmt.Sprintf("PodCertificateRequest for pod %q names node UID %q, inconsistent with the running node (%q)", pod, s.NodeUID, machine.UID)
	}
	obj, _ = n.State.Get(schemas.Ref{Resource: schemas.Pods, Namespace: a.Namespace, Name: schemas.Name(s.PodName)})
	p, _ := obj.(*v1.Pod)
	switch {
	case p == nil:
		return fmt.Sprintf("while retrieving pod %q named in the PodCertificateRequest: pod %q not found", pod, s.PodName)
	case p.UID != s.PodUID:
		return fmt.Sprintf("PodCertificateRequest for pod %q contains pod UID (%q) which differs from running pod %q", pod, s.PodUID, p.UID)
	case p.Spec.NodeName != string(s.NodeName):
		return fmt.Sprintf("pod %q is not running on node %q named in the PodCertificateRequest", pod, s.NodeName)
	case p.Annotations[v1.MirrorPodAnnotationKey] != "":
		return fmt.Sprintf("pod %q is a mirror pod", pod)
	}
	return n.certificateAccount(a, p, r)
}

func (n Nodes) certificateAccount(a Attributes, p *v1.Pod, r *certificatesv1.PodCertificateRequest) string {
	s, pod := &r.Spec, string(a.Namespace)+"/"+r.Spec.PodName
	if s.ServiceAccountName != p.Spec.ServiceAccountName {
		return fmt.Sprintf("PodCertificateRequest for pod %q contains serviceAccountName (%q) that differs from running pod (%q)", pod, s.ServiceAccountName, p.Spec.ServiceAccountName)
	}
	obj, ok := n.State.Get(schemas.Ref{Resource: schemas.ServiceAccounts, Namespace: a.Namespace, Name: schemas.Name(s.ServiceAccountName)})
	switch {
	case !ok:
		return fmt.Sprintf("while retrieving service account %q named in the PodCertificateRequest: serviceaccount %q not found", string(a.Namespace)+"/"+s.ServiceAccountName, s.ServiceAccountName)
	case obj.GetUID() != s.ServiceAccountUID:
		return fmt.Sprintf("PodCertificateRequest for pod %q names service account UID %q, which differs from the running service account (%q)", pod, s.ServiceAccountUID, obj.GetUID())
	case !mounts(p, s.SignerName) && !n.mayRequest(a, s):
		return fmt.Sprintf("pod %q does not mount a podCertificate projected volume for signer %q", pod, s.SignerName)
	}
	return ""
}

// mounts tells whether one of p's volumes asks for a certificate of signer.
func mounts(p *v1.Pod, signer string) bool {
	return slices.ContainsFunc(p.Spec.Volumes, func(v v1.Volume) bool {
		return v.Projected != nil && slices.ContainsFunc(v.Projected.Sources, func(s v1.VolumeProjection) bool {
			return s.PodCertificate != nil && s.PodCertificate.SignerName == signer
		})
	})
}

func (n Nodes) mayRequest(a Attributes, s *certificatesv1.PodCertificateRequestSpec) bool {
	if n.May == nil {
		return false
	}
	// Names of resources in roles hold no slash.
	signer := schemas.Resource{Group: a.Resource.Group, Plural: strings.ReplaceAll(s.SignerName, "/", ":")}
	ok, _ := n.May.Authorize(Attributes{User: a.User, Groups: a.Groups, Verb: verbRequest, Resource: signer, Namespace: a.Namespace, Name: schemas.Name(s.ServiceAccountName)})
	return ok
}
