package endpointslice_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/clustertest"
	"github.com/skerry/skerry/services/controller/endpointslice"
)

// mirrored are the slices of the world, in the order of names within a family.
func mirrored(w *clustertest.World) string {
	var out []string
	for _, o := range w.List(schemas.EndpointSlices, "default") {
		s := o.(*discoveryv1.EndpointSlice)
		line := fmt.Sprint(s.AddressType, " ", s.Labels[discoveryv1.LabelServiceName], " ", s.Labels["a"], s.Annotations["b"])
		for _, p := range s.Ports {
			line += fmt.Sprintf(" %s:%d", *p.Name, *p.Port)
		}
		for _, e := range s.Endpoints {
			line += fmt.Sprintf(" %s=%t", e.Addresses[0], *e.Conditions.Ready)
		}
		if s.Labels[discoveryv1.LabelManagedBy] != "endpointslicemirroring-controller.k8s.io" || s.OwnerReferences[0].Kind != "Endpoints" {
			line += " of somebody else"
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func TestMirror(t *testing.T) {
	w := clustertest.New(t, 1)
	m := endpointslice.NewMirror(w.Cluster())
	r := w.Runner(m)
	svc := service("db")
	svc.Spec.Selector = nil
	ip := func(all ...string) (out []corev1.EndpointAddress) {
		for _, a := range all {
			out = append(out, corev1.EndpointAddress{IP: a})
		}
		return out
	}
	e := &corev1.Endpoints{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Endpoints"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "db", Labels: map[string]string{"a": "x"}, Annotations: map[string]string{"b": "y", corev1.LastAppliedConfigAnnotation: "z"}},
		Subsets: []corev1.EndpointSubset{{Addresses: ip("192.0.2.1"), NotReadyAddresses: ip("192.0.2.2", "192.0.2.1"),
			Ports: []corev1.EndpointPort{{Name: "sql", Port: 5432, Protocol: corev1.ProtocolTCP}}}},
	}
	create(t, w, schemas.Endpoints, e)
	r.Settle()
	if got := mirrored(w); got != "" {
		t.Errorf("without a service there is %s", got)
	}
	create(t, w, schemas.Services, svc)
	r.Settle()
	if got := mirrored(w); got != "IPv4 db xy sql:5432 192.0.2.1=true 192.0.2.2=false" {
		t.Errorf("mirrored: %s", got)
	}
	before := w.Writes()
	if _, err := m.Reconcile(t.Context(), ref(schemas.Endpoints, "db")); err != nil || w.Writes() != before {
		t.Errorf("a second turn writes again (%v)", err)
	}
	change := func(r2 schemas.Resource, f func(schemas.Object)) {
		t.Helper()
		o, _ := w.Get(ref(r2, "db"))
		next := o.DeepCopyObject().(schemas.Object)
		f(next)
		if _, err := w.Update(t.Context(), r2, next, ""); err != nil {
			t.Fatal(err)
		}
		r.Settle()
	}
	subsets := func(all ...corev1.EndpointSubset) func(schemas.Object) {
		return func(o schemas.Object) { o.(*corev1.Endpoints).Subsets = all }
	}
	change(schemas.Endpoints, subsets(corev1.EndpointSubset{Addresses: ip("192.0.2.9"), Ports: e.Subsets[0].Ports}))
	if got := mirrored(w); got != "IPv4 db xy sql:5432 192.0.2.9=true" {
		t.Errorf("changed: %s", got)
	}
	change(schemas.Endpoints, subsets(corev1.EndpointSubset{Addresses: ip("2001:db8::1")}))
	if got := mirrored(w); got != "IPv6 db xy 2001:db8::1=true" {
		t.Errorf("another family: %s", got)
	}
	many := make([]string, 1001)
	for i := range many {
		many[i] = fmt.Sprintf("192.0.%d.%d", i/250, i%250)
	}
	change(schemas.Endpoints, subsets(corev1.EndpointSubset{Addresses: ip(many...)}))
	if got := strings.Count(mirrored(w), "=true"); got != 1000 {
		t.Errorf("%d addresses of 1001", got)
	}
	change(schemas.Endpoints, func(o schemas.Object) { o.SetLabels(map[string]string{discoveryv1.LabelSkipMirror: "true"}) })
	if got := mirrored(w); got != "" {
		t.Errorf("not to be mirrored: %s", got)
	}
	change(schemas.Endpoints, func(o schemas.Object) { o.SetLabels(nil); subsets(e.Subsets...)(o) })
	if got := mirrored(w); got == "" {
		t.Error("not mirrored again")
	}
	change(schemas.Services, func(o schemas.Object) { o.(*corev1.Service).Spec.Selector = map[string]string{"app": "db"} })
	if got := mirrored(w); got != "" {
		t.Errorf("with a selector: %s", got)
	}
}
