package apiserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/allot"
)

func service(name string, change ...func(*v1.ServiceSpec)) *v1.Service {
	s := &v1.Service{TypeMeta: metav1.TypeMeta{Kind: "Service", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
		Spec: v1.ServiceSpec{Selector: map[string]string{"app": name}, Ports: []v1.ServicePort{{Port: 80}}}}
	for _, f := range change {
		f(&s.Spec)
	}
	return s
}

func nodePort(n int32) func(*v1.ServiceSpec) {
	return func(s *v1.ServiceSpec) { s.Type, s.Ports[0].NodePort = v1.ServiceTypeNodePort, n }
}

func at(ip string) func(*v1.ServiceSpec) { return func(s *v1.ServiceSpec) { s.ClusterIP = ip } }

func svcRef(name string) schemas.Ref {
	return schemas.Ref{Resource: schemas.Services, Namespace: "default", Name: schemas.Name(name)}
}

// reserved are the keys that are taken, with what holds them.
func (c *cluster) reserved(t testing.TB) map[string]string {
	t.Helper()
	entries, _, err := store.New(c.bus.Conn(t, "admin"), bus.BucketState).List(ctx(t), "reserved.>")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		var h struct{ Key string }
		if e.Deleted {
			continue
		}
		if err := json.Unmarshal(e.Value, &h); err != nil {
			t.Fatal(err)
		}
		out[strings.TrimPrefix(string(e.Key), "reserved.")] = h.Key
	}
	return out
}

// exact fails unless what is reserved is what the services hold, each thing once.
func (c *cluster) exact(t testing.TB, client *api.Client) {
	t.Helper()
	// The apiserver's own service comes when it comes, but not between the two reads.
	eventually(t, func() error { _, err := client.Get(ctx(t), svcRef("kubernetes")); return err })
	objs, _, err := client.List(ctx(t), schemas.Services, "", metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, o := range objs {
		for _, k := range allot.Held(o) {
			k := strings.TrimPrefix(string(k), "reserved.")
			if by, twice := want[k]; twice {
				t.Errorf("%s is both %s's and %s's", k, by, o.GetName())
			}
			want[k] = string(bus.DesiredKey(schemas.RefOf(schemas.Services, o)))
		}
	}
	got := c.reserved(t)
	for k, by := range want {
		if got[k] != by {
			t.Errorf("%s is reserved for %q, want %q", k, got[k], by)
		}
		delete(got, k)
	}
	for k, by := range got {
		t.Errorf("%s is reserved for %s, which does not have it", k, by)
	}
}

func TestServiceGetsAddressAndPort(t *testing.T) {
	cl, c := one(t)
	s := as[*v1.Service](t, must(c.Create(ctx(t), schemas.Services, service("web", nodePort(0))))(t))
	if s.Spec.ClusterIP == "" || s.Spec.ClusterIPs[0] != s.Spec.ClusterIP || s.Spec.Ports[0].NodePort < 30000 || s.Spec.IPFamilies[0] != v1.IPv4Protocol {
		t.Errorf("got %+v", s.Spec)
	}
	cl.exact(t, c)
	// A client that knows nothing of what was given keeps it.
	again := as[*v1.Service](t, must(c.Update(ctx(t), schemas.Services, service("web", nodePort(0)), ""))(t))
	if again.ResourceVersion != s.ResourceVersion {
		t.Errorf("changed: %+v", again.Spec)
	}
	plain := as[*v1.Service](t, must(c.Update(ctx(t), schemas.Services, service("web"), ""))(t))
	if plain.Spec.ClusterIP != s.Spec.ClusterIP || plain.Spec.Ports[0].NodePort != 0 {
		t.Errorf("got %+v", plain.Spec)
	}
	cl.exact(t, c)
	external := as[*v1.Service](t, must(c.Update(ctx(t), schemas.Services, service("web", func(s *v1.ServiceSpec) {
		s.Type, s.ExternalName = v1.ServiceTypeExternalName, "example.com"
	}), ""))(t))
	if external.Spec.ClusterIP != "" || len(external.Spec.IPFamilies) > 0 {
		t.Errorf("got %+v", external.Spec)
	}
	cl.exact(t, c)
	must(c.Update(ctx(t), schemas.Services, service("web", nodePort(30123)), ""))(t)
	cl.exact(t, c)
	if err := c.Delete(ctx(t), svcRef("web"), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	cl.exact(t, c)
}

func TestServiceCannotHaveWhatIsAnothers(t *testing.T) {
	_, c := one(t)
	must(c.Create(ctx(t), schemas.Services, service("a", at("10.96.7.7"), nodePort(30100))))(t)
	for _, x := range []struct {
		name string
		svc  *v1.Service
		want string
	}{
		{"address", service("b", at("10.96.7.7")), `spec.clusterIPs: Invalid value: ["10.96.7.7"]: failed to allocate IP 10.96.7.7: provided IP is already allocated`},
		{"outside", service("b", at("10.0.0.1")), "failed to allocate IP 10.0.0.1: the provided IP (10.0.0.1) is not in the valid range. The range of valid IPs is 10.96.0.0/16"},
		{"port", service("b", nodePort(30100)), "spec.ports[0].nodePort: Invalid value: 30100: provided port is already allocated"},
		{"far port", service("b", nodePort(80)), "provided port is not in the valid range. The range of valid ports is 30000-32767"},
		{"two families", service("b", func(s *v1.ServiceSpec) { s.IPFamilyPolicy = new(v1.IPFamilyPolicyRequireDualStack) }), "this cluster is not configured for dual-stack services"},
		{"no port", service("b", func(s *v1.ServiceSpec) { s.Ports = nil }), "spec.ports: Required value"},
	} {
		t.Run(x.name, func(t *testing.T) {
			_, err := c.Create(ctx(t), schemas.Services, x.svc)
			if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), x.want) {
				t.Errorf("got %v, want %s", err, x.want)
			}
		})
	}
	if _, err := c.Update(ctx(t), schemas.Services, service("a", at("10.96.7.8"), nodePort(0)), ""); err == nil || !strings.Contains(err.Error(), "may not change once set") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Create(ctx(t), schemas.Services, service("a")); !apierrors.IsAlreadyExists(err) {
		t.Errorf("got %v", err)
	}
}

func TestDryRunOfServiceReservesNothing(t *testing.T) {
	cl, c := one(t)
	r := &api.Request{Verb: api.VerbCreate, Resource: schemas.Services, Namespace: "default", Body: encode(t, service("web", nodePort(0))), DryRun: true}
	var got v1.Service
	if _, err := do(t, c, r, &got); err != nil {
		t.Fatal(err)
	}
	if got.Spec.ClusterIP == "" || got.Spec.Ports[0].NodePort == 0 {
		t.Errorf("got %+v", got.Spec)
	}
	for _, k := range allot.Held(&got) {
		if by, held := cl.reserved(t)[strings.TrimPrefix(string(k), "reserved.")]; held {
			t.Errorf("%s is reserved for %s", k, by)
		}
	}
	gone(t, c, svcRef("web"))
}

// Several apiservers make services at once, of fewer addresses and ports than they try
// for at random: nothing is given twice, and what is asked for by name goes to one.
func TestReplicasGiveNothingTwice(t *testing.T) {
	cl := newCluster(t)
	for _, id := range []string{"a", "b", "c"} {
		cl.serveWith(t, id, "10.7.0.0/26", "30000-30039")
	}
	const workers, each = 6, 7
	var all sync.WaitGroup
	var mu sync.Mutex
	won := map[string]int{}
	for w := range workers {
		c := cl.client(t, "admin")
		all.Go(func() {
			for i := range each {
				name := fmt.Sprintf("s%d-%d", w, i)
				if err := raced(ctx(t), c, name, i); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			for i := range 5 { // all want the same ones
				_, err := c.Create(ctx(t), schemas.Services, service(fmt.Sprintf("n%d-%d", w, i), at(fmt.Sprintf("10.7.0.%d", 2+i))))
				switch {
				case err == nil:
					mu.Lock()
					won[fmt.Sprint(i)]++
					mu.Unlock()
				case !apierrors.IsInvalid(err):
					t.Errorf("by name: %v", err)
				}
			}
		})
	}
	all.Wait()
	for i, n := range won {
		if n > 1 {
			t.Errorf("address %s was given %d times", i, n)
		}
	}
	cl.exact(t, cl.client(t, "admin"))
}

// raced makes a service, changes what it needs, and removes every other one.
func raced(ctx context.Context, c *api.Client, name string, i int) error {
	change := nodePort(0)
	if i%3 == 0 {
		change = func(*v1.ServiceSpec) {}
	}
	if _, err := c.Create(ctx, schemas.Services, service(name, change)); err != nil {
		return err
	}
	p := []byte(`{"spec":{"type":"NodePort"}}`)
	if i%3 == 1 {
		p = []byte(`{"spec":{"type":"ExternalName","externalName":"example.com"}}`)
	}
	if _, err := c.Do(ctx, &api.Request{Verb: api.VerbPatch, Resource: schemas.Services, Namespace: "default", Name: schemas.Name(name), PatchType: types.MergePatchType, Body: p}); err != nil {
		return err
	}
	if i%2 == 0 {
		return c.Delete(ctx, svcRef(name), metav1.DeleteOptions{})
	}
	return nil
}

// A reservation whose service is not there, however that came to be, is given back when
// somebody wants it.
func TestStrayReservationIsGivenBack(t *testing.T) {
	cl, c := one(t)
	s := store.New(cl.bus.Conn(t, "system:apiserver"), bus.BucketState)
	for _, k := range []bus.Key{bus.ReservedKey("address", "10.96.9.9"), bus.ReservedKey("nodeport", "30500")} {
		if _, err := s.Create(ctx(t), k, []byte(`{"key":"desired.services.default.gone","uid":"u"}`)); err != nil {
			t.Fatal(err)
		}
	}
	must(c.Create(ctx(t), schemas.Services, service("web", at("10.96.9.9"), nodePort(30500))))(t)
	cl.exact(t, c)
}

func TestServiceOfTheAPI(t *testing.T) {
	cl := newCluster(t)
	cl.gateway = netip.MustParseAddrPort("192.0.2.7:6444")
	cl.serve(t, "a")
	c := cl.client(t, "admin")
	eventually(t, func() error {
		o, err := c.Get(ctx(t), schemas.Ref{Resource: schemas.Endpoints, Namespace: "default", Name: "kubernetes"})
		if err == nil {
			if s := as[*v1.Endpoints](t, o).Subsets; len(s) != 1 || s[0].Addresses[0].IP != "192.0.2.7" || s[0].Ports[0].Port != 6444 {
				t.Fatalf("got %+v", s)
			}
		}
		return err
	})
	slice := schemas.Ref{Resource: schemas.EndpointSlices, Namespace: "default", Name: "kubernetes"}
	if e := as[*discoveryv1.EndpointSlice](t, must(c.Get(ctx(t), slice))(t)).Endpoints; len(e) != 1 || e[0].Addresses[0] != "192.0.2.7" {
		t.Errorf("got %+v", e)
	}
	eventually(t, func() error {
		s, err := c.Get(ctx(t), svcRef("kubernetes"))
		if err == nil && as[*v1.Service](t, s).Spec.ClusterIP != "10.96.0.1" {
			t.Fatalf("got %+v", s)
		}
		return err
	})
	cl.exact(t, c)
}
