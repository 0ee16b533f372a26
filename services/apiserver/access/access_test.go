package access

import (
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	v1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/access/accesstest"
)

func pod(name, node string, spec v1.PodSpec) *v1.Pod {
	spec.NodeName = node
	return &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}, Spec: spec}
}

func rules() Chain {
	s := accesstest.State{}
	env := []v1.EnvFromSource{{SecretRef: &v1.SecretEnvSource{LocalObjectReference: v1.LocalObjectReference{Name: "s1"}}}}
	vol := []v1.Volume{{VolumeSource: v1.VolumeSource{ConfigMap: &v1.ConfigMapVolumeSource{LocalObjectReference: v1.LocalObjectReference{Name: "c1"}}}},
		{VolumeSource: v1.VolumeSource{Projected: &v1.ProjectedVolumeSource{Sources: []v1.VolumeProjection{
			{ClusterTrustBundle: &v1.ClusterTrustBundleProjection{Name: new("b1")}}, {ClusterTrustBundle: &v1.ClusterTrustBundleProjection{SignerName: new("a.b/c")}}}}}}}
	for _, p := range []*v1.Pod{
		pod("p1", "n1", v1.PodSpec{Containers: []v1.Container{{EnvFrom: env}}, Volumes: vol, ServiceAccountName: "default"}),
		pod("p2", "n2", v1.PodSpec{}),
	} {
		s.Put(schemas.Pods, p)
	}
	for name, node := range map[string]types.NodeName{"r1": "n1", "r2": "n2"} {
		s.Put(schemas.PodCertificateRequests, &certificatesv1.PodCertificateRequest{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
			Spec: certificatesv1.PodCertificateRequestSpec{NodeName: node}})
	}
	return Chain{Superusers{"admin": true}, Nodes{State: s}}
}

func TestAuthorize(t *testing.T) {
	n1 := bus.NodeUser("n1")
	for _, c := range []struct {
		a    Attributes
		want bool
	}{
		{Attributes{User: "admin", Verb: api.VerbDelete, Resource: schemas.Nodes, Name: "n1"}, true},
		{Attributes{User: "bob", Verb: api.VerbGet, Resource: schemas.Pods, Namespace: "default", Name: "p1"}, false},
		{Attributes{User: "system:node:", Verb: api.VerbGet, Resource: schemas.Nodes, Name: ""}, false},

		{Attributes{User: n1, Verb: api.VerbGet, Resource: schemas.Nodes, Name: "n1"}, true},
		{Attributes{User: n1, Verb: api.VerbGet, Resource: schemas.Nodes, Name: "n2"}, false},
		{Attributes{User: n1, Verb: api.VerbDelete, Resource: schemas.Nodes, Name: "n1"}, false},
		{Attributes{User: n1, Verb: api.VerbPatch, Resource: schemas.Nodes, Name: "n1", Subresource: "status"}, true},
		{Attributes{User: n1, Verb: api.VerbWatch, Resource: schemas.Nodes, FieldSelector: "metadata.name=n1"}, true},
		{Attributes{User: n1, Verb: api.VerbWatch, Resource: schemas.Nodes}, false},

		{Attributes{User: n1, Verb: api.VerbList, Resource: schemas.Pods, FieldSelector: "spec.nodeName=n1"}, true},
		{Attributes{User: n1, Verb: api.VerbList, Resource: schemas.Pods, FieldSelector: "spec.nodeName!=n1"}, false},
		{Attributes{User: n1, Verb: api.VerbList, Resource: schemas.Pods, FieldSelector: "spec.nodeName=n2"}, false},
		{Attributes{User: n1, Verb: api.VerbDelete, Resource: schemas.Pods, Namespace: "default", Name: "p1"}, true},
		{Attributes{User: n1, Verb: api.VerbDelete, Resource: schemas.Pods, Namespace: "default", Name: "p2"}, false},
		{Attributes{User: n1, Verb: api.VerbUpdate, Resource: schemas.Pods, Namespace: "default", Name: "p1"}, false},
		{Attributes{User: n1, Verb: api.VerbCreate, Resource: schemas.Pods, Namespace: "default"}, false},

		{Attributes{User: n1, Verb: api.VerbGet, Resource: schemas.Secrets, Namespace: "default", Name: "s1"}, true},
		{Attributes{User: n1, Verb: api.VerbGet, Resource: schemas.ConfigMaps, Namespace: "default", Name: "c1"}, true},
		{Attributes{User: n1, Verb: api.VerbGet, Resource: schemas.ServiceAccounts, Namespace: "default", Name: "default"}, true},
		{Attributes{User: n1, Verb: api.VerbCreate, Resource: schemas.ServiceAccounts, Subresource: "token", Namespace: "default", Name: "default"}, true},
		{Attributes{User: n1, Verb: api.VerbCreate, Resource: schemas.ServiceAccounts, Subresource: "token", Namespace: "default", Name: "other"}, false},
		{Attributes{User: n1, Verb: api.VerbCreate, Resource: schemas.ServiceAccounts, Namespace: "default", Name: "default"}, false},
		{Attributes{User: bus.NodeUser("n2"), Verb: api.VerbCreate, Resource: schemas.ServiceAccounts, Subresource: "token", Namespace: "default", Name: "default"}, false},
		{Attributes{User: n1, Verb: api.VerbGet, Resource: schemas.Secrets, Namespace: "default", Name: "s2"}, false},
		{Attributes{User: n1, Verb: api.VerbGet, Resource: schemas.Secrets, Namespace: "other", Name: "s1"}, false},
		{Attributes{User: n1, Verb: api.VerbList, Resource: schemas.Secrets, Namespace: "default"}, false},
		{Attributes{User: bus.NodeUser("n2"), Verb: api.VerbGet, Resource: schemas.Secrets, Namespace: "default", Name: "s1"}, false},

		{Attributes{User: n1, Verb: api.VerbGet, Resource: schemas.ClusterTrustBundles, Name: "b1"}, true},
		{Attributes{User: n1, Verb: api.VerbGet, Resource: schemas.ClusterTrustBundles, Name: "b2"}, false},
		{Attributes{User: n1, Verb: api.VerbGet, Resource: schemas.ClusterTrustBundles, Name: "a.b/c"}, false},
		{Attributes{User: n1, Verb: api.VerbUpdate, Resource: schemas.ClusterTrustBundles, Name: "b1"}, false},
		{Attributes{User: bus.NodeUser("n2"), Verb: api.VerbGet, Resource: schemas.ClusterTrustBundles, Name: "b1"}, false},
		{Attributes{User: n1, Verb: api.VerbList, Resource: schemas.ClusterTrustBundles, FieldSelector: "spec.signerName=a.b/c"}, true},
		{Attributes{User: n1, Verb: api.VerbList, Resource: schemas.ClusterTrustBundles, FieldSelector: "spec.signerName!=a.b/c"}, false},
		{Attributes{User: n1, Verb: api.VerbList, Resource: schemas.ClusterTrustBundles, FieldSelector: "spec.signerName=a.b/d"}, false},
		{Attributes{User: n1, Verb: api.VerbList, Resource: schemas.ClusterTrustBundles, FieldSelector: "spec.signerName=b1"}, false},
		{Attributes{User: n1, Verb: api.VerbList, Resource: schemas.ClusterTrustBundles}, false},

		{Attributes{User: n1, Verb: api.VerbCreate, Resource: schemas.PodCertificateRequests, Namespace: "default"}, true},
		{Attributes{User: n1, Verb: api.VerbGet, Resource: schemas.PodCertificateRequests, Namespace: "default", Name: "r1"}, true},
		{Attributes{User: n1, Verb: api.VerbGet, Resource: schemas.PodCertificateRequests, Namespace: "default", Name: "r2"}, false},
		{Attributes{User: n1, Verb: api.VerbGet, Resource: schemas.PodCertificateRequests, Namespace: "default", Name: "gone"}, true},
		{Attributes{User: n1, Verb: api.VerbUpdate, Resource: schemas.PodCertificateRequests, Subresource: "status", Namespace: "default", Name: "r1"}, false},
		{Attributes{User: n1, Verb: api.VerbDelete, Resource: schemas.PodCertificateRequests, Namespace: "default", Name: "r1"}, false},
		{Attributes{User: n1, Verb: api.VerbWatch, Resource: schemas.PodCertificateRequests, FieldSelector: "spec.nodeName=n1"}, true},
		{Attributes{User: n1, Verb: api.VerbWatch, Resource: schemas.PodCertificateRequests, FieldSelector: "spec.nodeName=n2"}, false},

		{Attributes{User: n1, Verb: api.VerbCreate, Resource: schemas.Events, Namespace: "default"}, true},
		{Attributes{User: n1, Verb: api.VerbUpdate, Resource: schemas.Leases, Namespace: "kube-node-lease", Name: "n1"}, true},
		{Attributes{User: n1, Verb: api.VerbUpdate, Resource: schemas.Leases, Namespace: "kube-node-lease", Name: "n2"}, false},

		{Attributes{User: n1, Verb: api.VerbState, Filters: []string{"assigned.n1.>", "observed.n1.>"}}, true},
		{Attributes{User: n1, Verb: api.VerbState, Filters: []string{"assigned.n1.>", "assigned.n2.>"}}, false},
		{Attributes{User: n1, Verb: api.VerbState, Filters: []string{"assigned.*.>"}}, false},
		{Attributes{User: n1, Verb: api.VerbState, Filters: []string{"assigned.n11.>"}}, false},
		{Attributes{User: n1, Verb: api.VerbState}, false},
	} {
		if got, why := rules().Authorize(c.a); got != c.want {
			t.Errorf("%+v: allowed = %v (%s), want %v", c.a, got, why, c.want)
		}
	}
}

func TestForbiddenWords(t *testing.T) {
	err := Forbidden(Attributes{User: "bob", Verb: "get", Resource: schemas.Pods, Subresource: "status", Namespace: "ns", Name: "p"}, "")
	want := `pods "p" is forbidden: User "bob" cannot get resource "pods/status" in API group "" in the namespace "ns"`
	if !apierrors.IsForbidden(err) || err.Error() != want {
		t.Errorf("got %q\nwant %q", err, want)
	}
}

// TestTokenRequests: a node gets tokens only for its own pods, bound to them.
func TestTokenRequests(t *testing.T) {
	mine := pod("mine", "n1", v1.PodSpec{ServiceAccountName: "sa", Volumes: []v1.Volume{{VolumeSource: v1.VolumeSource{Projected: &v1.ProjectedVolumeSource{
		Sources: []v1.VolumeProjection{{ServiceAccountToken: &v1.ServiceAccountTokenProjection{Audience: "vault"}}}}}},
		{VolumeSource: v1.VolumeSource{CSI: &v1.CSIVolumeSource{Driver: "disk.example.com"}}}, {VolumeSource: v1.VolumeSource{CSI: &v1.CSIVolumeSource{Driver: "none"}}}}})
	mine.UID = "u1"
	driver := &storagev1.CSIDriver{ObjectMeta: metav1.ObjectMeta{Name: "disk.example.com"}, Spec: storagev1.CSIDriverSpec{TokenRequests: []storagev1.TokenRequest{{Audience: "store"}}}}
	own := v1.Volume{VolumeSource: v1.VolumeSource{Projected: &v1.ProjectedVolumeSource{Sources: []v1.VolumeProjection{{ServiceAccountToken: &v1.ServiceAccountTokenProjection{}}}}}}
	speaks := pod("speaks", "n1", v1.PodSpec{ServiceAccountName: "sa", Volumes: []v1.Volume{own}})
	speaks.UID = "u3"
	other := pod("other", "n2", v1.PodSpec{ServiceAccountName: "sa", Volumes: []v1.Volume{own}})
	other.UID = "u2"
	nodes := Nodes{State: accesstest.State{schemas.RefOf(schemas.Pods, mine): mine, schemas.RefOf(schemas.Pods, other): other, schemas.RefOf(schemas.Pods, speaks): speaks, schemas.RefOf(schemas.CSIDrivers, driver): driver}}
	bound := func(kind, name, uid string) *authenticationv1.BoundObjectReference {
		return &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: kind, Name: name, UID: types.UID(uid)}
	}
	for _, c := range []struct {
		user      bus.User
		account   schemas.Name
		to        *authenticationv1.BoundObjectReference
		audiences []string
		want      string
	}{
		{bus.NodeUser("n1"), "sa", bound("Pod", "speaks", "u3"), nil, ""},
		{bus.NodeUser("n1"), "sa", bound("Pod", "mine", "u1"), nil, "audience \"\" not found"},
		{bus.NodeUser("n1"), "sa", bound("Pod", "mine", "u1"), []string{"vault"}, ""},
		{bus.NodeUser("n1"), "sa", bound("Pod", "mine", "u1"), []string{"store"}, ""},
		{"admin", "sa", nil, nil, ""},
		{bus.NodeUser("n1"), "sa", nil, nil, "not bound to a pod"},
		{bus.NodeUser("n1"), "sa", bound("Node", "n1", "u1"), nil, "not bound to a pod"},
		{bus.NodeUser("n1"), "sa", bound("Pod", "mine", ""), nil, "without a uid"},
		{bus.NodeUser("n1"), "sa", bound("Pod", "mine", "u0"), nil, "does not match the UID in record"},
		{bus.NodeUser("n1"), "sa", bound("Pod", "other", "u2"), nil, "scheduled on a different node"},
		{bus.NodeUser("n1"), "root", bound("Pod", "mine", "u1"), nil, "another service account"},
		{bus.NodeUser("n1"), "sa", bound("Pod", "mine", "u1"), []string{"vault", "bank"}, "audience \"bank\" not found"},
	} {
		tr := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: c.to, Audiences: c.audiences}}
		a := Attributes{User: c.user, Resource: schemas.ServiceAccounts, Subresource: "token", Verb: api.VerbCreate, Namespace: "default", Name: c.account}
		if err := nodes.Admit(a, tr, nil); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c, err, c.want)
		}
	}
}

func TestAdmit(t *testing.T) {
	node := func(name, label string, taints ...v1.Taint) *v1.Node {
		n := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1.NodeSpec{Taints: taints}}
		if label != "" {
			n.Labels = map[string]string{label: "x"}
		}
		return n
	}
	taint := v1.Taint{Key: "k", Effect: v1.TaintEffectNoSchedule}
	for name, c := range map[string]struct {
		obj, old schemas.Object
		want     bool
	}{
		"own":           {node("n1", "kubernetes.io/os"), nil, true},
		"other":         {node("n2", ""), nil, false},
		"trusted label": {node("n1", "zone.node-restriction.kubernetes.io/x"), nil, false},
		"label removed": {node("n1", ""), node("n1", "node-restriction.kubernetes.io/x"), false},
		"a role":        {node("n1", "node-role.kubernetes.io/control-plane"), nil, false},
		"a role later":  {node("n1", "node-role.kubernetes.io/control-plane"), node("n1", ""), false},
		"a role kept":   {node("n1", "node-role.kubernetes.io/worker"), node("n1", "node-role.kubernetes.io/worker"), true},
		"taint removed": {node("n1", ""), node("n1", "", taint), false},
		"taint kept":    {node("n1", "", taint), node("n1", "", taint), true},
		"other's event": {&v1.Event{Source: v1.EventSource{Host: "n2"}}, nil, false},
		"own pod":       {pod("p", "n1", v1.PodSpec{}), pod("p", "n1", v1.PodSpec{}), true},
		"other's pod":   {pod("p", "n2", v1.PodSpec{}), pod("p", "n2", v1.PodSpec{}), false},
		"nobody's pod":  {pod("p", "", v1.PodSpec{}), pod("p", "", v1.PodSpec{}), false},
		"own event":     {&v1.Event{Source: v1.EventSource{Host: "n1"}}, nil, true},
	} {
		a := Attributes{User: bus.NodeUser("n1"), Resource: schemas.Nodes, Verb: api.VerbUpdate}
		if err := (Nodes{}).Admit(a, c.obj, c.old); (err == nil) != c.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
