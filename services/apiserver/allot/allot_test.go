package allot

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/defaults"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ addresses, ports, first string }{
		{"", "", "10.96.0.1"}, {"10.0.0.9/24", "1-2", "10.0.0.1"},
		{"10.0.0.0/31", "", ""}, {"fd00::/112", "", ""}, {"10.0.0.0", "", ""}, {"", "9-8", ""}, {"", "0-8", ""}, {"", "1-70000", ""}, {"", "80", ""},
	} {
		r, err := Parse(c.addresses, c.ports)
		if (err == nil) != (c.first != "") || err == nil && r.First().String() != c.first {
			t.Errorf("%s %s: got %v, %v", c.addresses, c.ports, r, err)
		}
	}
}

func TestPickLeavesTheLowBandForLast(t *testing.T) {
	taken := map[int]bool{}
	for n := range 100 {
		i, ok := pick(100, 20, func(i int) bool { return taken[i] })
		if !ok || taken[i] || (i < 20) != (n >= 80) {
			t.Fatalf("choice %d is %d, %t", n, i, ok)
		}
		taken[i] = true
	}
	if _, ok := pick(100, 20, func(int) bool { return true }); ok {
		t.Error("chose of nothing")
	}
}

func TestSpare(t *testing.T) {
	for _, c := range [][4]int{{16, 16, 256, 0}, {254, 16, 256, 16}, {65534, 16, 256, 256}, {2768, 32, 128, 86}} {
		if got := spare(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("of %d: %d, want %d", c[0], got, c[3])
		}
	}
}

// As long as there is room every service gets what it needs, nothing twice, and filling
// again changes nothing; when there is none, that is an error and no service.
func TestFill(t *testing.T) {
	r := Ranges{Addresses: netip.MustParsePrefix("10.0.0.0/27"), FirstPort: 30000, LastPort: 30019}
	rnd := rand.New(rand.NewPCG(1, 2))
	types := []v1.ServiceType{v1.ServiceTypeClusterIP, v1.ServiceTypeNodePort, v1.ServiceTypeLoadBalancer, v1.ServiceTypeExternalName}
	for range 200 {
		var all []schemas.Object
		for step := range 60 {
			name := fmt.Sprint("s", rnd.IntN(30))
			i := slices.IndexFunc(all, func(o schemas.Object) bool { return o.GetName() == name })
			if i >= 0 && rnd.IntN(2) == 0 {
				all = slices.Delete(all, i, i+1)
				continue
			}
			svc := some(name, types[rnd.IntN(len(types))], rnd)
			var old *v1.Service
			if i >= 0 {
				old, _ = all[i].(*v1.Service)
			}
			errs, err := r.Fill(svc, old, all)
			if len(errs) > 0 {
				t.Fatalf("step %d: %v", step, errs)
			}
			if err != nil {
				continue // full: the service stays as it was
			}
			again := svc.DeepCopy()
			if errs, err := r.Fill(again, svc, all); len(errs) > 0 || err != nil || !slices.Equal(Held(again), Held(svc)) {
				t.Fatalf("step %d: again %v %v: %v, then %v", step, errs, err, Held(svc), Held(again))
			}
			if i >= 0 {
				all[i] = svc
			} else {
				all = append(all, svc)
			}
			distinct(t, all)
		}
	}
}

func some(name string, typ v1.ServiceType, rnd *rand.Rand) *v1.Service {
	s := &v1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}, Spec: v1.ServiceSpec{Type: typ}}
	for i := range rnd.IntN(3) {
		s.Spec.Ports = append(s.Spec.Ports, v1.ServicePort{Name: fmt.Sprint("p", i), Port: int32(80 + i)})
	}
	switch {
	case typ == v1.ServiceTypeExternalName:
		s.Spec.ExternalName = "a.example"
	case typ == v1.ServiceTypeLoadBalancer && rnd.IntN(2) == 0:
		s.Spec.ExternalTrafficPolicy = v1.ServiceExternalTrafficPolicyLocal
	}
	defaults.Service(s)
	return s
}

func distinct(t *testing.T, all []schemas.Object) {
	t.Helper()
	seen := map[string]string{}
	for _, o := range all {
		for _, k := range Held(o) {
			if by := seen[string(k)]; by != "" {
				t.Fatalf("%s is %s's and %s's", k, by, o.GetName())
			}
			seen[string(k)] = o.GetName()
		}
		s, _ := o.(*v1.Service)
		if s.Spec.Type != v1.ServiceTypeExternalName && s.Spec.ClusterIP == "" {
			t.Fatalf("%s has no address", s.Name)
		}
		for _, p := range s.Spec.Ports {
			if numbered(&s.Spec) != (p.NodePort != 0) {
				t.Fatalf("%s: %+v", s.Name, s.Spec)
			}
		}
		if healthChecked(&s.Spec) != (s.Spec.HealthCheckNodePort != 0) {
			t.Fatalf("%s: %+v", s.Name, s.Spec)
		}
	}
}

// Ports of one number and two protocols share a node port when they are made together.
func TestOneNodePortForBothProtocols(t *testing.T) {
	r, _ := Parse("", "")
	s := &v1.Service{Spec: v1.ServiceSpec{Type: v1.ServiceTypeNodePort, Ports: []v1.ServicePort{
		{Name: "t", Port: 53, Protocol: v1.ProtocolTCP}, {Name: "u", Port: 53, Protocol: v1.ProtocolUDP, NodePort: 30053}, {Name: "w", Port: 80}}}}
	if errs, err := r.Fill(s, nil, nil); len(errs) > 0 || err != nil {
		t.Fatal(errs, err)
	}
	if p := s.Spec.Ports; p[0].NodePort != 30053 || p[2].NodePort == 0 || p[2].NodePort == 30053 {
		t.Errorf("got %+v", p)
	}
}

// Whatever a client sends, filling it in does not panic, nor does comparing what it holds.
func TestFillAnything(t *testing.T) {
	r, _ := Parse("", "")
	fill := randfill.NewWithSeed(5).NilChance(0.3).NumElements(0, 3).Funcs(
		func(v *intstr.IntOrString, c randfill.Continue) { *v = intstr.FromInt32(c.Int31()) },
		func(s *v1.ServiceType, c randfill.Continue) {
			*s = []v1.ServiceType{"ClusterIP", "NodePort", "LoadBalancer", "ExternalName", "", "Odd"}[c.Intn(6)]
		},
		func(s *[]string, c randfill.Continue) {
			*s = [][]string{nil, {}, {"None"}, {"10.96.0.1"}, {"10.96.0.1", "fd00::1"}, {"", "x", "None"}}[c.Intn(6)]
		},
		func(m *metav1.FieldsV1, _ randfill.Continue) { m.Raw = []byte("{}") },
	)
	for i := range 2000 {
		svc, old := &v1.Service{}, &v1.Service{}
		fill.Fill(svc)
		fill.Fill(old)
		if i%2 == 0 {
			old = nil
		}
		_, _ = r.Fill(svc, old, []schemas.Object{&v1.Service{}})
		Moves(old, svc)
	}
}
