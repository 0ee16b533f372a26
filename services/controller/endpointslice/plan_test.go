package endpointslice

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func web(change ...func(*corev1.ServiceSpec)) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "s", Labels: map[string]string{"team": "a"}}, Spec: corev1.ServiceSpec{
		ClusterIP: "10.96.0.2", IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol}, Selector: map[string]string{"app": "web"},
		Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http"), Protocol: corev1.ProtocolTCP}},
	}}
	for _, f := range change {
		f(&s.Spec)
	}
	return s
}

func pod(i int, change ...func(*corev1.Pod)) *corev1.Pod {
	name := fmt.Sprintf("p%05d", i)
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("u-" + name), Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{NodeName: "n1", Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}}}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: fmt.Sprintf("10.%d.%d.%d", 1+i>>16, i>>8&255, i&255)}},
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}}
	for _, f := range change {
		f(p)
	}
	return p
}

func unready(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }
func going(p *corev1.Pod)   { p.DeletionTimestamp = &metav1.Time{} }
func otherPort(p *corev1.Pod) {
	p.Spec.Containers[0].Ports[0].ContainerPort = 9090
}

func zones(node string) (string, bool) { return "z-" + node, node != "gone" }

// stored is a slice as it is after its creation.
func stored(slices []*discoveryv1.EndpointSlice) map[string]*discoveryv1.EndpointSlice {
	out := map[string]*discoveryv1.EndpointSlice{}
	for _, s := range slices {
		out[s.Name] = s
	}
	return out
}

// carry does what p says to have.
func carry(t *testing.T, p Plan, have map[string]*discoveryv1.EndpointSlice) {
	t.Helper()
	for _, s := range p.Create {
		if have[s.Name] != nil || s.Name == "" {
			t.Fatalf("created %q, which is there", s.Name)
		}
		have[s.Name] = s.DeepCopy()
	}
	for _, s := range p.Update {
		if have[s.Name] == nil {
			t.Fatalf("updated %q, which is not there", s.Name)
		}
		have[s.Name] = s.DeepCopy()
	}
	for _, s := range p.Delete {
		if have[s.Name] == nil {
			t.Fatalf("deleted %q, which is not there", s.Name)
		}
		delete(have, s.Name)
	}
}

func planned(svc *corev1.Service, pods []*corev1.Pod, have map[string]*discoveryv1.EndpointSlice) Plan {
	return plan(svc, members(svc, pods, zones), slices.Collect(maps.Values(have)), func(n string) bool { return have[n] != nil })
}

// Whatever pods come, go and change: afterwards the slices hold all of them, each once, as they are, at
// most a hundred in each; planning again changes nothing; and no more slices are
// written than had to be.
func TestPlanOfAnything(t *testing.T) {
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		svc, have, pods := web(), map[string]*discoveryv1.EndpointSlice{}, map[int]*corev1.Pod{}
		for step := range 40 {
			touched := mutate(rnd, pods)
			before := maps.Clone(have)
			p := planned(svc, slices.Collect(maps.Values(pods)), have)
			carry(t, p, have)
			holds(t, svc, pods, have)
			if again := planned(svc, slices.Collect(maps.Values(pods)), have); len(again.Create)+len(again.Update)+len(again.Delete) > 0 {
				t.Fatalf("seed %d, step %d: again %d created, %d updated, %d deleted", seed, step, len(again.Create), len(again.Update), len(again.Delete))
			}
			frugal(t, p, before, touched)
		}
	}
}

// mutate adds, removes and changes pods, and returns which.
func mutate(rnd *rand.Rand, pods map[int]*corev1.Pod) map[string]bool {
	touched := map[string]bool{}
	most := []int{3, 30, 250}[rnd.IntN(3)]
	changes := [][]func(*corev1.Pod){nil, {unready}, {going}, {going, unready}, {otherPort}}
	for range rnd.IntN(most) {
		i := rnd.IntN(400)
		if pods[i] != nil && rnd.IntN(2) == 0 {
			delete(pods, i)
		} else {
			pods[i] = pod(i, changes[rnd.IntN(len(changes))]...)
		}
		touched[fmt.Sprintf("p%05d", i)] = true
	}
	return touched
}

func holds(t *testing.T, svc *corev1.Service, pods map[int]*corev1.Pod, have map[string]*discoveryv1.EndpointSlice) {
	t.Helper()
	want := map[string]string{}
	for _, m := range members(svc, slices.Collect(maps.Values(pods)), zones) {
		want[m.endpoint.TargetRef.Name] = fmt.Sprint(*m.ports[0].Port, m.endpoint.Addresses, *m.endpoint.Conditions.Ready, *m.endpoint.Conditions.Serving, *m.endpoint.Conditions.Terminating)
	}
	for name, s := range have {
		if len(s.Endpoints) > maxEndpoints || len(s.Endpoints) == 0 && len(have) > 1 {
			t.Fatalf("%s holds %d", name, len(s.Endpoints))
		}
		for _, e := range s.Endpoints {
			got := fmt.Sprint(*s.Ports[0].Port, e.Addresses, *e.Conditions.Ready, *e.Conditions.Serving, *e.Conditions.Terminating)
			if want[e.TargetRef.Name] != got {
				t.Fatalf("%s in %s is %s, want %q", e.TargetRef.Name, name, got, want[e.TargetRef.Name])
			}
			delete(want, e.TargetRef.Name)
		}
	}
	if len(want) > 0 || len(have) == 0 {
		t.Fatalf("missing: %v in %d slices", want, len(have))
	}
}

// frugal fails if a slice was written in which no pod was touched, but for one of each set of
// ports, which took in what was left.
func frugal(t *testing.T, p Plan, before map[string]*discoveryv1.EndpointSlice, touched map[string]bool) {
	t.Helper()
	spare := map[string]int{}
	for _, s := range slices.Concat(p.Update, p.Delete) {
		was := before[s.Name]
		if !slices.ContainsFunc(was.Endpoints, func(e discoveryv1.Endpoint) bool { return touched[e.TargetRef.Name] }) {
			spare[portKey(was.Ports)]++
		}
	}
	for ports, n := range spare {
		if n > 1 {
			t.Fatalf("%d slices of %q changed although nothing in them did", n, ports)
		}
	}
}

func TestPlanOfAService(t *testing.T) {
	many := func(n int) (out []*corev1.Pod) {
		for i := range n {
			out = append(out, pod(i))
		}
		return out
	}
	have := stored(planned(web(), many(250), nil).Create)
	if len(have) != 3 {
		t.Fatalf("250 pods are in %d slices", len(have))
	}
	for name, s := range have {
		if !strings.HasPrefix(name, "web-") || len(name) != 9 || s.Labels["team"] != "a" || s.Labels[discoveryv1.LabelServiceName] != "web" ||
			s.Labels[discoveryv1.LabelManagedBy] != managedBy || !metav1.IsControlledBy(s, web()) || *s.Ports[0].Name != "http" || *s.Ports[0].Port != 8080 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	// The same service gets the same names from whoever plans it.
	if again := planned(web(), many(250), nil); !maps.EqualFunc(stored(again.Create), have, func(a, b *discoveryv1.EndpointSlice) bool { return a.Name == b.Name }) {
		t.Error("other names")
	}
	for _, c := range []struct {
		name                    string
		svc                     *corev1.Service
		pods                    []*corev1.Pod
		create, update, deleted int
	}{
		{"same", web(), many(250), 0, 0, 0},
		{"one more", web(), many(251), 0, 1, 0},
		{"51 more, which no slice takes all", web(), many(301), 1, 0, 0},
		{"one unready", web(), append(many(249), pod(249, unready)), 0, 1, 0},
		{"one less", web(), many(249), 0, 1, 0},
		{"one on a node that is gone", web(), append(many(249), pod(249, func(p *corev1.Pod) { p.Spec.NodeName = "gone" })), 0, 1, 0},
		{"one has ended", web(), append(many(249), pod(249, func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })), 0, 1, 0},
		{"one without an address", web(), append(many(249), pod(249, func(p *corev1.Pod) { p.Status.PodIPs = nil })), 0, 1, 0},
		{"none: an empty one stays", web(), nil, 0, 1, 2},
		{"other port number", web(func(s *corev1.ServiceSpec) { s.Ports[0].TargetPort = intstr.FromInt32(81) }), many(250), 0, 3, 0},
		{"headless: the label", web(func(s *corev1.ServiceSpec) { s.ClusterIP = "None" }), many(250), 0, 3, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := planned(c.svc, c.pods, have)
			if len(p.Create) != c.create || len(p.Update) != c.update || len(p.Delete) != c.deleted {
				t.Errorf("%d created, %d updated, %d deleted, want %d, %d, %d", len(p.Create), len(p.Update), len(p.Delete), c.create, c.update, c.deleted)
			}
		})
	}
}

func TestMember(t *testing.T) {
	published := func(s *corev1.ServiceSpec) { s.PublishNotReadyAddresses = true }
	near := func(how string) func(*corev1.ServiceSpec) {
		return func(s *corev1.ServiceSpec) { s.TrafficDistribution = &how }
	}
	sidecar := func(p *corev1.Pod) {
		p.Spec.InitContainers = []corev1.Container{{RestartPolicy: new(corev1.ContainerRestartPolicyAlways), Ports: p.Spec.Containers[0].Ports}}
		p.Spec.Containers = nil
	}
	for _, c := range []struct {
		name string
		svc  *corev1.Service
		pod  *corev1.Pod
		want string // ready, serving, terminating, zone, hostname, ports, hints
	}{
		{"ready", web(), pod(1), "true true false z-n1 - 8080 -"},
		{"unready", web(), pod(1, unready), "false false false z-n1 - 8080 -"},
		{"going", web(), pod(1, going), "false true true z-n1 - 8080 -"},
		{"going and unready", web(), pod(1, going, unready), "false false true z-n1 - 8080 -"},
		{"published", web(published), pod(1, going, unready), "true false true z-n1 - 8080 -"},
		{"published on a node that is gone", web(published), pod(1, func(p *corev1.Pod) { p.Spec.NodeName = "gone" }), "true true false z-gone - 8080 -"},
		{"hostname", web(), pod(1, func(p *corev1.Pod) { p.Spec.Hostname, p.Spec.Subdomain = "h", "web" }), "true true false z-n1 h 8080 -"},
		{"hostname below another name", web(), pod(1, func(p *corev1.Pod) { p.Spec.Hostname, p.Spec.Subdomain = "h", "db" }), "true true false z-n1 - 8080 -"},
		{"no such port", web(func(s *corev1.ServiceSpec) { s.Ports[0].Protocol = corev1.ProtocolUDP }), pod(1), "true true false z-n1 -  -"},
		{"a sidecar's port", web(), pod(1, sidecar), "true true false z-n1 - 8080 -"},
		{"same zone", web(near("PreferSameZone")), pod(1), "true true false z-n1 - 8080 z-n1"},
		{"same node", web(near("PreferSameNode")), pod(1), "true true false z-n1 - 8080 z-n1 n1"},
		{"same zone, unready", web(near("PreferClose")), pod(1, unready), "false false false z-n1 - 8080 -"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ms := members(c.svc, []*corev1.Pod{c.pod}, func(n string) (string, bool) { return "z-" + n, n != "gone" })
			if len(ms) != 1 {
				t.Fatalf("got %d", len(ms))
			}
			if got := describe(&ms[0]); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func describe(m *member) string {
	e := &m.endpoint
	host, ports, hints := "-", []string{}, []string{}
	if e.Hostname != nil {
		host = *e.Hostname
	}
	for _, p := range m.ports {
		ports = append(ports, fmt.Sprint(*p.Port))
	}
	if h := e.Hints; h != nil {
		for _, z := range h.ForZones {
			hints = append(hints, z.Name)
		}
		for _, n := range h.ForNodes {
			hints = append(hints, n.Name)
		}
	} else {
		hints = append(hints, "-")
	}
	return fmt.Sprintf("%t %t %t %s %s %s %s", *e.Conditions.Ready, *e.Conditions.Serving, *e.Conditions.Terminating, deref(e.Zone), host, strings.Join(ports, ","), strings.Join(hints, " "))
}

func TestEndpoints(t *testing.T) {
	two := func(s *corev1.ServiceSpec) {
		s.Ports = append(s.Ports, corev1.ServicePort{Name: "metrics", Port: 9, TargetPort: intstr.FromInt32(9), Protocol: corev1.ProtocolTCP})
	}
	show := func(e *corev1.Endpoints) string {
		var out []string
		for _, s := range e.Subsets {
			var parts []string
			for _, a := range s.Addresses {
				parts = append(parts, a.TargetRef.Name)
			}
			for _, a := range s.NotReadyAddresses {
				parts = append(parts, "!"+a.TargetRef.Name)
			}
			for _, p := range s.Ports {
				parts = append(parts, fmt.Sprintf("%s:%d", p.Name, p.Port))
			}
			out = append(out, strings.Join(parts, " "))
		}
		return strings.Join(out, "; ")
	}
	for _, c := range []struct {
		name string
		svc  *corev1.Service
		pods []*corev1.Pod
		want string
	}{
		{"none", web(), nil, ""},
		{"ready and not", web(), []*corev1.Pod{pod(2), pod(1), pod(3, unready), pod(4, going)}, "p00001 p00002 !p00003 http:8080"},
		{"two ports", web(two), []*corev1.Pod{pod(1)}, "p00001 http:8080 metrics:9"},
		{"a port in two places", web(two), []*corev1.Pod{pod(1), pod(2, otherPort)}, "p00001 http:8080; p00002 http:9090; p00001 p00002 metrics:9"},
		{"headless without ports", web(func(s *corev1.ServiceSpec) { s.ClusterIP, s.Ports = "None", nil }), []*corev1.Pod{pod(1)}, "p00001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := planEndpoints(c.svc, c.pods, nil)
			if got := show(e); got != c.want || e.Labels[endpointsLabel] != endpointsManager {
				t.Errorf("got %s of %v, want %s", got, e.Labels, c.want)
			}
			if again := planEndpoints(c.svc, c.pods, e); again != nil {
				t.Errorf("again: %+v", again)
			}
		})
	}
}

// Endpoints hold a thousand addresses, ready ones first, and say that there are more.
func TestEndpointsOverCapacity(t *testing.T) {
	for _, c := range []struct{ ready, not, wantReady, wantNot int }{
		{1000, 0, 1000, 0}, {1200, 50, 1000, 0}, {900, 300, 900, 100},
	} {
		var pods []*corev1.Pod
		for i := range c.ready + c.not {
			pods = append(pods, pod(i, func(p *corev1.Pod) {
				if i >= c.ready {
					unready(p)
				}
				if i%2 == 0 {
					otherPort(p)
				}
			}))
		}
		e := planEndpoints(web(), pods, nil)
		ready, not := 0, 0
		for _, s := range e.Subsets {
			ready += len(s.Addresses)
			not += len(s.NotReadyAddresses)
		}
		over := e.Annotations[corev1.EndpointsOverCapacity] == truncated
		if ready != c.wantReady || not != c.wantNot || over != (c.ready+c.not > maxAddresses) {
			t.Errorf("%+v: %d ready, %d not, over capacity: %t", c, ready, not, over)
		}
	}
}

// BenchmarkPlan is one pod's change of a service of ten thousand.
func BenchmarkPlan(b *testing.B) {
	var pods []*corev1.Pod
	for i := range 10_000 {
		pods = append(pods, pod(i))
	}
	have := stored(planned(web(), pods, nil).Create)
	pods[17] = pod(17, unready)
	for b.Loop() {
		if p := planned(web(), pods, have); len(p.Update) != 1 {
			b.Fatalf("%d updates", len(p.Update))
		}
	}
}
