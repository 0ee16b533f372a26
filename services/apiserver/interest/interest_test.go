package interest

import (
	"slices"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
)

func pod(name, node, cm string) *v1.Pod {
	return &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}, Spec: v1.PodSpec{NodeName: node, Volumes: []v1.Volume{
		{VolumeSource: v1.VolumeSource{ConfigMap: &v1.ConfigMapVolumeSource{LocalObjectReference: v1.LocalObjectReference{Name: cm}}}}}}}
}

func TestNodesHearOfWhatTheirPodsReferTo(t *testing.T) {
	var told []string
	i := New(func(n schemas.NodeName, r schemas.Ref) { told = append(told, string(n)+" "+string(r.Name)) })
	cm := func(name string) {
		c := &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}}
		i.Handle(view.Change{Type: view.Added, Ref: schemas.RefOf(schemas.ConfigMaps, c), Object: c})
	}
	change := func(kind view.ChangeType, p, old *v1.Pod) {
		c := view.Change{Type: kind, Ref: schemas.RefOf(schemas.Pods, p), Object: p}
		if old != nil {
			c.Old = old
		}
		i.Handle(c)
	}
	expect := func(when string, want ...string) {
		t.Helper()
		slices.Sort(told)
		if !slices.Equal(told, want) {
			t.Errorf("%s: told %q, want %q", when, told, want)
		}
		told = nil
	}
	change(view.Added, pod("a", "n1", "c1"), nil)
	cm("c1")
	expect("before the start")
	i.Start()
	change(view.Added, pod("b", "n2", "c1"), nil)
	change(view.Added, pod("b2", "n2", "c1"), nil)
	change(view.Added, pod("c", "", "c1"), nil)
	cm("c1")
	expect("two nodes, each once", "n1 c1", "n2 c1")
	cm("c2")
	expect("nobody's")
	change(view.Modified, pod("c", "n3", "c1"), pod("c", "", "c1"))
	change(view.Modified, pod("c", "n3", "c1"), pod("c", "n3", "c1"))
	change(view.Deleted, pod("a", "n1", "c1"), nil)
	change(view.Deleted, pod("b", "n2", "c1"), pod("b", "n2", "c1"))
	cm("c1")
	expect("one was placed, two are gone", "n2 c1", "n3 c1")
	change(view.Deleted, pod("b2", "n2", "c1"), nil)
	change(view.Deleted, pod("c", "n3", "c1"), nil)
	cm("c1")
	expect("all are gone")
	if len(i.nodes) != 0 {
		t.Errorf("remembered: %v", i.nodes)
	}
	bundles := pod("d", "n4", "")
	bundles.Spec.Volumes[0].VolumeSource = v1.VolumeSource{Projected: &v1.ProjectedVolumeSource{Sources: []v1.VolumeProjection{
		{ClusterTrustBundle: &v1.ClusterTrustBundleProjection{Name: new("b")}}, {ClusterTrustBundle: &v1.ClusterTrustBundleProjection{SignerName: new("a.b/c")}}}}}
	change(view.Added, bundles, nil)
	for _, b := range []*certificatesv1.ClusterTrustBundle{{ObjectMeta: metav1.ObjectMeta{Name: "b"}}, {ObjectMeta: metav1.ObjectMeta{Name: "other"}},
		{ObjectMeta: metav1.ObjectMeta{Name: "a.b:c:1"}, Spec: certificatesv1.ClusterTrustBundleSpec{SignerName: "a.b/c"}},
		{ObjectMeta: metav1.ObjectMeta{Name: "a.b:d:1"}, Spec: certificatesv1.ClusterTrustBundleSpec{SignerName: "a.b/d"}}} {
		i.Handle(view.Change{Type: view.Deleted, Ref: schemas.RefOf(schemas.ClusterTrustBundles, b), Object: b})
	}
	expect("bundles, by name and by signer", "n4 a.b/c", "n4 b")
	r := &certificatesv1.PodCertificateRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "r"}, Spec: certificatesv1.PodCertificateRequestSpec{NodeName: "n5"}}
	answered := r.DeepCopy()
	answered.Status.Conditions = []metav1.Condition{{Type: "Issued"}}
	for _, c := range []view.Change{{Type: view.Added, Object: r}, {Type: view.Modified, Object: answered}, {Type: view.Deleted, Object: r}} {
		c.Ref = schemas.RefOf(schemas.PodCertificateRequests, r)
		i.Handle(c)
	}
	expect("a request that is answered, and gone", "n5 r", "n5 r")
	change(view.Deleted, bundles, nil)
	if len(i.nodes) != 0 {
		t.Errorf("remembered: %v", i.nodes)
	}
}
