package anchor_test

import (
	"slices"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/anchor"
	"github.com/skerry/skerry/services/controller/clustertest"
)

const (
	// name is made of the signer's and the first 12 bytes of the content's SHA-256.
	name   = "kubernetes.io:kube-apiserver-serving:8f76fd501bb68ef71f4e276b"
	signer = "kubernetes.io/kube-apiserver-serving"
)

func TestPublish(t *testing.T) {
	w := clustertest.New(t, 1)
	k := anchor.New(w.Cluster(), "authority")
	run := w.Runner(k)
	bundle := func(name, signer string) schemas.Ref {
		b := &certificatesv1.ClusterTrustBundle{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: certificatesv1.ClusterTrustBundleSpec{SignerName: signer, TrustBundle: "former"}}
		if _, err := w.Create(t.Context(), schemas.ClusterTrustBundles, b); err != nil {
			t.Fatal(err)
		}
		return schemas.RefOf(schemas.ClusterTrustBundles, b)
	}
	bundle("kubernetes.io:kube-apiserver-serving:former", signer)
	bundle("other", "")
	holds := func(when string) {
		t.Helper()
		run.Settle()
		var names []string
		for _, o := range w.All(schemas.ClusterTrustBundles) {
			b := o.(*certificatesv1.ClusterTrustBundle)
			names = append(names, b.Name)
			if b.Name == string(k.Key().Name) && (b.Spec.TrustBundle != "authority" || b.Spec.SignerName != signer) {
				t.Errorf("%s: %+v", when, b.Spec)
			}
		}
		slices.Sort(names)
		if !slices.Equal(names, []string{name, "other"}) {
			t.Errorf("%s there are %q", when, names)
		}
	}
	run.Wake(0, k.Key())
	holds("at first")
	o, _ := w.Get(k.Key())
	changed := o.DeepCopyObject().(*certificatesv1.ClusterTrustBundle)
	changed.Spec.TrustBundle = "another"
	if _, err := w.Update(t.Context(), schemas.ClusterTrustBundles, changed, ""); err != nil {
		t.Fatal(err)
	}
	holds("changed by somebody")
	if err := w.Delete(t.Context(), k.Key(), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	holds("deleted by somebody")
	bundle("kubernetes.io:kube-apiserver-serving:mine", signer)
	holds("with one of somebody's")
	before := w.Writes()
	run.Wake(0, k.Key())
	run.Settle()
	if w.Writes() != before {
		t.Error("reconciling again wrote something")
	}
}
