package apiserver_test

import (
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

// running makes a pod that is on node n1 at ip.
func (c *cluster) running(t testing.TB, client *api.Client, name, ip string) *v1.Pod {
	t.Helper()
	p := as[*v1.Pod](t, must(client.Create(ctx(t), schemas.Pods, pod(name)))(t))
	c.place(t, p, "n1")
	s := store.New(c.bus.Conn(t, bus.NodeUser("n1")), bus.BucketState)
	seen := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: p.UID}, Status: v1.PodStatus{Phase: v1.PodRunning, PodIP: ip, PodIPs: []v1.PodIP{{IP: ip}}}}
	if _, err := s.Create(ctx(t), bus.ObservedPodKey("n1", "default", schemas.Name(name)), encode(t, seen)); err != nil {
		t.Fatal(err)
	}
	return p
}

func endpoint(p *v1.Pod, ip string, ready bool) discoveryv1.Endpoint {
	return discoveryv1.Endpoint{Addresses: []string{ip}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		TargetRef: &v1.ObjectReference{Kind: "Pod", Namespace: "default", Name: p.Name, UID: p.UID}}
}

// A service's proxy leads to a ready pod at the address that its slices say, and to nothing
// else, whatever somebody wrote into them.
func TestProxyOfService(t *testing.T) {
	cl, c := one(t)
	svc := service("web", func(s *v1.ServiceSpec) {
		s.Ports = []v1.ServicePort{{Name: "http", Port: 80}, {Name: "admin", Port: 81}}
	})
	must(c.Create(ctx(t), schemas.Services, svc))(t)
	must(c.Create(ctx(t), schemas.Services, service("empty")))(t)
	a, b, other := cl.running(t, c, "a", "10.244.1.2"), cl.running(t, c, "b", "10.244.1.3"), cl.running(t, c, "other", "10.244.1.4")
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Name: "web-1", Namespace: "default", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}}, AddressType: discoveryv1.AddressTypeIPv4,
		Ports: []discoveryv1.EndpointPort{{Name: new("http"), Port: new(int32(8080))}, {Name: new("admin"), Port: new(int32(9090))}},
		Endpoints: []discoveryv1.Endpoint{
			endpoint(a, "10.244.1.2", true), endpoint(b, "10.244.1.3", true), endpoint(other, "10.244.1.4", false), endpoint(other, "192.0.2.1", true), {Addresses: []string{"192.0.2.2"}},
		},
	}
	must(c.Create(ctx(t), schemas.EndpointSlices, slice))(t)
	ask := func(name string) (api.Backend, error) {
		var out api.Backend
		_, err := do(t, c, &api.Request{Verb: api.VerbGet, Resource: schemas.Services, Namespace: "default", Name: schemas.Name(name), Subresource: "proxy"}, &out)
		return out, err
	}
	eventually(t, func() error { _, err := ask("web:http"); return err })
	met := map[string]int{}
	for range 60 {
		got := must(ask("web:http"))(t)
		met[got.Pod.Name]++
		if got.Port != 8080 || got.Pod.Spec.NodeName != "n1" {
			t.Fatalf("got %+v", got)
		}
	}
	if met["a"] == 0 || met["b"] == 0 || len(met) > 2 {
		t.Errorf("led to %v", met)
	}
	if got := must(ask("https:web:81"))(t); got.Scheme != "https" || got.Port != 9090 {
		t.Errorf("by number: %+v", got)
	}
	for name, want := range map[string]string{
		"web:82": `no service port 82 found for service "web"`, "web:odd": `no endpoints available for service "web"`, "web": `no endpoints available for service "web"`,
		"empty:80": `no endpoints available for service "empty"`, "none:80": `services "none" not found`, "a:b:c:d": `invalid service request "a:b:c:d"`,
	} {
		if _, err := ask(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}
