package endpointslice_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/clustertest"
	"github.com/skerry/skerry/services/controller/endpointslice"
)

func ref(r schemas.Resource, name string) schemas.Ref {
	return schemas.Ref{Resource: r, Namespace: "default", Name: schemas.Name(name)}
}

func create(t *testing.T, w *clustertest.World, r schemas.Resource, obj schemas.Object) {
	t.Helper()
	if _, err := w.Create(t.Context(), r, obj); err != nil {
		t.Fatal(err)
	}
}

// run gives a pod an address on node n1.
func run(w *clustertest.World, name, ip string) {
	w.Assign(ref(schemas.Pods, name), "n1")
	w.Observe(ref(schemas.Pods, name), func(o schemas.Object) {
		p := o.(*corev1.Pod)
		p.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	})
}

func pod(name, app string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{"app": app}}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
}

func service(app string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: app}, Spec: corev1.ServiceSpec{
		ClusterIP: "10.96.0.9", Selector: map[string]string{"app": app}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080), Protocol: corev1.ProtocolTCP}}}}
}

func TestController(t *testing.T) {
	w := clustertest.New(t, 1)
	c := endpointslice.New(w.Cluster())
	r := w.Runner(c)
	create(t, w, schemas.Nodes, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}})
	create(t, w, schemas.Services, service("web"))
	create(t, w, schemas.Pods, pod("a", "web"))
	create(t, w, schemas.Pods, pod("b", "db"))
	r.Settle()
	addresses := func() (out []string) {
		for _, o := range w.List(schemas.EndpointSlices, "default") {
			for _, e := range o.(*discoveryv1.EndpointSlice).Endpoints {
				out = append(out, e.Addresses...)
			}
		}
		return out
	}
	if got := w.List(schemas.EndpointSlices, "default"); len(got) != 1 || len(addresses()) != 0 {
		t.Fatalf("before it runs: %+v", got)
	}
	run(w, "a", "10.244.0.2")
	run(w, "b", "10.244.0.3")
	r.Settle()
	if got := addresses(); len(got) != 1 || got[0] != "10.244.0.2" {
		t.Fatalf("got %v", got)
	}
	o, _ := w.Get(ref(schemas.Endpoints, "web"))
	if e, ok := o.(*corev1.Endpoints); !ok || len(e.Subsets) != 1 || e.Subsets[0].Addresses[0].IP != "10.244.0.2" {
		t.Fatalf("endpoints: %+v", o)
	}
	before := w.Writes()
	r.Wake(0, ref(schemas.Services, "web"))
	r.Settle()
	if w.Writes() != before {
		t.Error("reconciling again wrote something")
	}
	// What somebody deletes comes back.
	slice := w.List(schemas.EndpointSlices, "default")[0]
	if err := w.Delete(t.Context(), schemas.RefOf(schemas.EndpointSlices, slice), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	r.Settle()
	if got := w.List(schemas.EndpointSlices, "default"); len(got) != 1 || got[0].GetName() != slice.GetName() {
		t.Errorf("got %+v", got)
	}
	if err := w.Delete(t.Context(), ref(schemas.Services, "web"), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	r.Settle()
	if o, ok := w.Get(ref(schemas.Endpoints, "web")); ok {
		t.Errorf("after the service there is %+v", o)
	}
}

// A pod's change concerns the services that select it, or did, and no others; and only if
// endpoints show it.
func TestKeys(t *testing.T) {
	w := clustertest.New(t, 1)
	c := endpointslice.New(w.Cluster())
	for _, app := range []string{"web", "db"} {
		c.Keys(view.Change{Type: view.Added, Ref: ref(schemas.Services, app), Object: service(app)})
	}
	change := func(old, now *corev1.Pod) int {
		ch := view.Change{Type: view.Modified, Ref: ref(schemas.Pods, now.Name), Object: now, Old: old}
		return len(c.Keys(ch))
	}
	a, labelled, moved := pod("a", "web"), pod("a", "web"), pod("a", "db")
	labelled.Annotations = map[string]string{"x": "y"}
	addressed := pod("a", "web")
	addressed.Status.PodIPs = []corev1.PodIP{{IP: "10.244.0.2"}}
	for _, x := range []struct {
		name string
		got  int
		want int
	}{
		{"an annotation", change(a, labelled), 0}, {"an address", change(a, addressed), 1}, {"from one service to the other", change(a, moved), 2},
		{"nobody's", change(pod("a", "x"), pod("a", "y")), 0},
	} {
		if x.got != x.want {
			t.Errorf("%s: %d services, want %d", x.name, x.got, x.want)
		}
	}
	c.Keys(view.Change{Type: view.Deleted, Ref: ref(schemas.Services, "web"), Object: service("web")})
	if n := change(a, addressed); n != 0 {
		t.Errorf("of a service that is gone: %d", n)
	}
}

// TestForeignSlice: what says in another namespace that it is a service's is left alone.
func TestForeignSlice(t *testing.T) {
	w := clustertest.New(t, 1)
	r := w.Runner(endpointslice.New(w.Cluster()))
	create(t, w, schemas.Services, service("web"))
	svc, _ := w.Get(ref(schemas.Services, "web"))
	foreign := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "elsewhere", Name: "foreign", OwnerReferences: []metav1.OwnerReference{
		*metav1.NewControllerRef(svc, corev1.SchemeGroupVersion.WithKind("Service")),
	}}, AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.9"}}}}
	create(t, w, schemas.EndpointSlices, foreign)
	r.Settle()
	got := w.List(schemas.EndpointSlices, "elsewhere")
	if len(got) != 1 || len(got[0].(*discoveryv1.EndpointSlice).Endpoints) != 1 {
		t.Errorf("it is %+v", got)
	}
}

// TestOthersSlices: a slice that somebody else keeps for the same service stays as it is, also one that was this
// controller's until then; that one is made again.
func TestOthersSlices(t *testing.T) {
	w := clustertest.New(t, 1)
	r := w.Runner(endpointslice.New(w.Cluster()), endpointslice.NewMirror(w.Cluster()))
	create(t, w, schemas.Services, service("web"))
	svc, _ := w.Get(ref(schemas.Services, "web"))
	label := map[string]string{discoveryv1.LabelServiceName: "web", discoveryv1.LabelManagedBy: "mesh.example.com"}
	create(t, w, schemas.EndpointSlices, &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a-mesh", Labels: label, OwnerReferences: []metav1.OwnerReference{
		*metav1.NewControllerRef(svc, corev1.SchemeGroupVersion.WithKind("Service")),
	}}, AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.9"}}}})
	unselected := service("db")
	unselected.Spec.Selector = nil
	create(t, w, schemas.Services, unselected)
	create(t, w, schemas.Endpoints, &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "db"}, Subsets: []corev1.EndpointSubset{{Addresses: []corev1.EndpointAddress{{IP: "192.0.2.1"}}}}})
	r.Settle()
	byService := func(name string) (out []*discoveryv1.EndpointSlice) {
		for _, o := range w.List(schemas.EndpointSlices, "default") {
			if s := o.(*discoveryv1.EndpointSlice); s.Labels[discoveryv1.LabelServiceName] == name {
				out = append(out, s)
			}
		}
		return out
	}
	if got := byService("web"); len(got) != 2 || got[0].Name != "a-mesh" || got[0].Labels[discoveryv1.LabelManagedBy] != "mesh.example.com" || len(got[0].Endpoints) != 1 {
		t.Fatalf("got %+v", got)
	}
	for _, s := range []*discoveryv1.EndpointSlice{byService("web")[1], byService("db")[0]} {
		s = s.DeepCopy()
		s.Labels[discoveryv1.LabelManagedBy] = "mesh.example.com"
		if _, err := w.Update(t.Context(), schemas.EndpointSlices, s, ""); err != nil {
			t.Fatal(err)
		}
	}
	r.Settle()
	if web, db := byService("web"), byService("db"); len(web) != 3 || len(db) != 2 {
		t.Errorf("after two are somebody else's: %+v and %+v", web, db)
	}
}
