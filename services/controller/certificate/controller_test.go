package certificate_test

import (
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/certificate"
	"github.com/skerry/skerry/services/controller/clustertest"
)

func TestRequestsGoAfterTheirTime(t *testing.T) {
	w := clustertest.New(t, 1)
	run := w.Runner(certificate.New(w.Cluster()))
	ask := func(name string) schemas.Ref {
		r := &certificatesv1.PodCertificateRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
		if _, err := w.Create(t.Context(), schemas.PodCertificateRequests, r); err != nil {
			t.Fatal(err)
		}
		run.Settle()
		return schemas.RefOf(schemas.PodCertificateRequests, r)
	}
	there := func(ref schemas.Ref, want bool, when string) {
		t.Helper()
		if _, ok := w.Get(ref); ok != want {
			t.Errorf("%s is there: %v %s", ref, ok, when)
		}
	}
	first := ask("first")
	run.Advance(14 * time.Minute)
	second := ask("second")
	there(first, true, "within its time")
	run.Advance(2 * time.Minute)
	there(first, false, "after it")
	there(second, true, "within its time")
	// One that was made anew under the name has its own time.
	if err := w.Delete(t.Context(), second, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	run.Settle()
	ask("second")
	run.Advance(14 * time.Minute)
	there(second, true, "though the former one's time has come")
	run.Advance(2 * time.Minute)
	there(second, false, "after its time")
}
