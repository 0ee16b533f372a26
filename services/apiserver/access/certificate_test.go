package access

import (
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/access/accesstest"
)

// allowing allows what is in it.
type allowing map[string]bool

func (a allowing) Authorize(at Attributes) (bool, string) {
	return a[string(at.User)+" "+string(at.Verb)+" "+at.Resource.String()+" "+string(at.Name)], ""
}

// TestCertificateRequests: a node asks only for its own pods, as what they are, and of whom they ask.
func TestCertificateRequests(t *testing.T) {
	s := accesstest.State{}
	source := v1.VolumeProjection{PodCertificate: &v1.PodCertificateProjection{SignerName: "a.b/c"}}
	mine := pod("mine", "n1", v1.PodSpec{ServiceAccountName: "sa", Volumes: []v1.Volume{{VolumeSource: v1.VolumeSource{Projected: &v1.ProjectedVolumeSource{Sources: []v1.VolumeProjection{source}}}}}})
	mirror := pod("mirror", "n1", mine.Spec)
	mirror.Annotations = map[string]string{v1.MirrorPodAnnotationKey: "x"}
	lost := pod("lost", "n1", v1.PodSpec{ServiceAccountName: "lost"})
	for _, p := range []*v1.Pod{mine, mirror, lost, pod("other", "n2", v1.PodSpec{})} {
		p.UID = "pod-uid"
		s.Put(schemas.Pods, p)
	}
	s.Put(schemas.Nodes, &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", UID: "node-uid"}})
	s.Put(schemas.ServiceAccounts, &v1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "sa", UID: "sa-uid"}})
	nodes := Nodes{State: s, May: allowing{"system:node:n1 request-serviceaccounts-podcertificate-signer d.e:f.certificates.k8s.io sa": true}}
	type spec = certificatesv1.PodCertificateRequestSpec
	for want, change := range map[string]func(*spec){
		"":  func(*spec) {},
		" ": func(s *spec) { s.SignerName = "d.e/f" }, // a role allows it
		`PodCertificateRequest.Spec.NodeName="n2", which is not the requesting node "n1"`:                                  func(s *spec) { s.NodeName = "n2" },
		`PodCertificateRequest for pod "default/mine" names node UID "x", inconsistent with the running node ("node-uid")`: func(s *spec) { s.NodeUID = "x" },
		`while retrieving pod "default/none" named in the PodCertificateRequest: pod "none" not found`:                     func(s *spec) { s.PodName = "none" },
		`PodCertificateRequest for pod "default/mine" contains pod UID ("x") which differs from running pod "pod-uid"`:     func(s *spec) { s.PodUID = "x" },
		`pod "default/other" is not running on node "n1" named in the PodCertificateRequest`:                               func(s *spec) { s.PodName = "other" },
		`pod "default/mirror" is a mirror pod`: func(s *spec) { s.PodName = "mirror" },
		`PodCertificateRequest for pod "default/mine" contains serviceAccountName ("root") that differs from running pod ("sa")`:        func(s *spec) { s.ServiceAccountName = "root" },
		`while retrieving service account "default/lost" named in the PodCertificateRequest: serviceaccount "lost" not found`:           func(s *spec) { s.PodName, s.ServiceAccountName = "lost", "lost" },
		`PodCertificateRequest for pod "default/mine" names service account UID "x", which differs from the running service account ("`: func(s *spec) { s.ServiceAccountUID = "x" },
		`pod "default/mine" does not mount a podCertificate projected volume for signer "x.y/z"`:                                        func(s *spec) { s.SignerName = "x.y/z" },
	} {
		r := &certificatesv1.PodCertificateRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "r"}, Spec: spec{SignerName: "a.b/c", PodName: "mine", PodUID: "pod-uid",
			ServiceAccountName: "sa", ServiceAccountUID: "sa-uid", NodeName: "n1", NodeUID: "node-uid"}}
		change(&r.Spec)
		a := Attributes{User: bus.NodeUser("n1"), Verb: api.VerbCreate, Resource: schemas.PodCertificateRequests, Namespace: "default"}
		err := nodes.Admit(a, r, nil)
		if fine := strings.TrimSpace(want) == ""; fine != (err == nil) || !fine && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want)) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		a.User = "somebody"
		if err := nodes.Admit(a, r, nil); err != nil {
			t.Errorf("roles let somebody else do it: %v", err)
		}
	}
}

// TestWhoSigns: a request is answered by who may sign for its signer, or for all of its domain.
func TestWhoSigns(t *testing.T) {
	guard := Signers{May: allowing{"one sign signers.certificates.k8s.io a.b/c": true, "all sign signers.certificates.k8s.io a.b/*": true, "other attest signers.certificates.k8s.io a.b/c": true}}
	old := &certificatesv1.PodCertificateRequest{ObjectMeta: metav1.ObjectMeta{Name: "r"}, Spec: certificatesv1.PodCertificateRequestSpec{SignerName: "a.b/c"}}
	r := old.DeepCopy()
	r.Status.Conditions = []metav1.Condition{{Type: "Denied"}}
	for user, may := range map[bus.User]bool{"one": true, "all": true, "other": false} {
		a := Attributes{User: user, Verb: api.VerbUpdate, Resource: schemas.PodCertificateRequests, Subresource: "status"}
		err := guard.Admit(a, r, old)
		if want := `spec.signerName: Forbidden: User "other" is not permitted to "sign" for signer "a.b/c"`; may != (err == nil) || !may && (!apierrors.IsInvalid(err) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", user, err)
		}
		if err := guard.Admit(a, old, old); err != nil {
			t.Errorf("%s may not leave it as it is: %v", user, err)
		}
	}
}

func TestGateways(t *testing.T) {
	const selector = "spec.signerName=kubernetes.io/kube-apiserver-client-pod"
	requests := schemas.PodCertificateRequests
	for _, c := range []struct {
		a    Attributes
		want bool
	}{
		{Attributes{Verb: api.VerbCreate, Resource: schemas.TokenReviews}, true},
		{Attributes{Verb: api.VerbGet, Resource: schemas.Pods, Namespace: "ns", Name: "p"}, true},
		{Attributes{Verb: api.VerbGet, Resource: schemas.Pods, Subresource: "log", Namespace: "ns", Name: "p"}, false},
		{Attributes{Verb: api.VerbList, Resource: schemas.Pods}, false},
		{Attributes{Verb: api.VerbGet, Resource: schemas.Secrets, Namespace: "ns", Name: "s"}, false},
		{Attributes{Verb: api.VerbWatch, Resource: requests, FieldSelector: selector}, true},
		{Attributes{Verb: api.VerbWatch, Resource: requests}, false},
		{Attributes{Verb: api.VerbUpdate, Resource: requests, Subresource: "status", Namespace: "ns", Name: "r"}, true},
		{Attributes{Verb: api.VerbUpdate, Resource: requests, Namespace: "ns", Name: "r"}, false},
		{Attributes{Verb: api.VerbCreate, Resource: requests, Namespace: "ns"}, false},
		{Attributes{Verb: "sign", Resource: schemas.Signers, Name: "kubernetes.io/kube-apiserver-client-pod"}, true},
		{Attributes{Verb: "sign", Resource: schemas.Signers, Name: "kubernetes.io/*"}, false},
		{Attributes{Verb: "attest", Resource: schemas.Signers, Name: "kubernetes.io/kube-apiserver-client-pod"}, false},
	} {
		c.a.User = gatewayUser
		if got, _ := (Gateways{}).Authorize(c.a); got != c.want {
			t.Errorf("%+v: %v", c.a, got)
		}
		c.a.User = "system:gateway2"
		if got, _ := (Gateways{}).Authorize(c.a); got {
			t.Errorf("somebody else: %+v", c.a)
		}
	}
}
