package endpointslice

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/services/controller/owner"
)

const (
	// maxEndpoints is how many a slice holds.
	maxEndpoints = 100
	// managedBy is who Kubernetes' tools take for the keeper of slices.
	managedBy = "endpointslice-controller.k8s.io"
)

// Plan is what to do. Slices to update are at the resourceVersion that they were read at.
type Plan struct {
	Create, Update, Delete []*discoveryv1.EndpointSlice
}

// group is what slices are alike in: an address family and the ports.
type group struct {
	family discoveryv1.AddressType
	ports  string
}

// plan spreads want over slices and new ones, and leaves alone what need not change. As in
// Kubernetes, endpoints stay in their slice; new ones fill slices that change anyhow, then go to
// one other that takes all that are left, then to new ones. Slices are never merged
// for their own sake, and a service without endpoints has one empty slice.
func plan(svc *corev1.Service, want []member, have []*discoveryv1.EndpointSlice, taken func(string) bool) Plan {
	have = slices.SortedFunc(slices.Values(have), byName)
	groups := map[group][]member{}
	for _, m := range want {
		g := group{m.family, portKey(m.ports)}
		groups[g] = append(groups[g], m)
	}
	existing := map[group][]*discoveryv1.EndpointSlice{}
	for _, s := range have {
		g := group{s.AddressType, portKey(s.Ports)}
		existing[g] = append(existing[g], s)
		if _, ok := groups[g]; !ok {
			groups[g] = nil
		}
	}
	b := builder{svc: svc, labels: labelsOf(svc)}
	order := slices.SortedFunc(maps.Keys(groups), func(a, b group) int { return cmp.Or(cmp.Compare(a.family, b.family), cmp.Compare(a.ports, b.ports)) })
	for _, g := range order {
		b.spread(groups[g], existing[g])
	}
	b.placeholder(len(have))
	b.reuse()
	b.name(taken)
	return b.Plan
}

// builder collects a plan.
type builder struct {
	Plan
	svc    *corev1.Service
	labels map[string]string
}

// spread plans the slices of one group.
func (b *builder) spread(want []member, have []*discoveryv1.EndpointSlice) {
	left := map[types.UID]*member{}
	for i := range want {
		left[want[i].endpoint.TargetRef.UID] = &want[i]
	}
	var changed, unchanged []*discoveryv1.EndpointSlice
	for _, s := range have {
		kept, same := keep(s, left)
		switch {
		case len(kept) == 0:
			b.Delete = append(b.Delete, s)
		case same && maps.Equal(s.Labels, b.labels):
			unchanged = append(unchanged, s)
		default:
			changed = append(changed, b.with(s, kept))
		}
	}
	var rest []*member // in the order of names
	for i := range want {
		if left[want[i].endpoint.TargetRef.UID] == &want[i] {
			rest = append(rest, &want[i])
		}
	}
	slices.SortStableFunc(changed, func(a, b *discoveryv1.EndpointSlice) int { return cmp.Compare(len(b.Endpoints), len(a.Endpoints)) })
	for _, s := range changed {
		rest = fill(s, rest)
	}
	b.Update = append(b.Update, changed...)
	for len(rest) > 0 {
		if i := roomiest(unchanged, len(rest)); i >= 0 {
			s := b.with(unchanged[i], slices.Clone(unchanged[i].Endpoints))
			rest = fill(s, rest)
			b.Update = append(b.Update, s)
			continue
		}
		s := b.fresh(rest[0].family, rest[0].ports)
		rest = fill(s, rest)
		b.Create = append(b.Create, s)
	}
}

// keep returns those endpoints of s that are left, as they should be, and takes them out of
// left; and whether that is what s says.
func keep(s *discoveryv1.EndpointSlice, left map[types.UID]*member) (kept []discoveryv1.Endpoint, same bool) {
	same = true
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		var m *member
		if e.TargetRef != nil {
			m = left[e.TargetRef.UID]
		}
		if m == nil || len(kept) == maxEndpoints {
			same = false
			continue
		}
		delete(left, e.TargetRef.UID)
		same = same && equal(e, &m.endpoint)
		kept = append(kept, m.endpoint)
	}
	return kept, same
}

// fill puts as many of rest into s as go, and returns the others.
func fill(s *discoveryv1.EndpointSlice, rest []*member) []*member {
	for len(rest) > 0 && len(s.Endpoints) < maxEndpoints {
		s.Endpoints = append(s.Endpoints, rest[0].endpoint)
		rest = rest[1:]
	}
	return rest
}

// roomiest returns the slice that n more endpoints make the fullest; -1 if none takes them all.
func roomiest(have []*discoveryv1.EndpointSlice, n int) int {
	best := -1
	for i, s := range have {
		if len(s.Endpoints)+n <= maxEndpoints && (best < 0 || len(s.Endpoints) > len(have[best].Endpoints)) {
			best = i
		}
	}
	return best
}

// with is s with other endpoints and the service's labels.
func (b *builder) with(s *discoveryv1.EndpointSlice, endpoints []discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	c := s.DeepCopy()
	c.Endpoints, c.Labels = endpoints, b.labels
	return c
}

func (b *builder) fresh(f discoveryv1.AddressType, ports []discoveryv1.EndpointPort) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: b.svc.Namespace, GenerateName: b.svc.Name + "-", Labels: b.labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(b.svc, corev1.SchemeGroupVersion.WithKind("Service"))},
		},
		AddressType: f, Ports: ports, Endpoints: []discoveryv1.Endpoint{},
	}
}

// placeholder gives a service that would have no slice an empty one, or leaves it the
// one that it has.
func (b *builder) placeholder(have int) {
	if len(b.Create) > 0 || len(b.Delete) < have {
		return
	}
	for _, f := range families(b.svc) {
		keeps := slices.IndexFunc(b.Delete, func(s *discoveryv1.EndpointSlice) bool {
			return s.AddressType == f && len(s.Endpoints) == 0 && len(s.Ports) == 0 && maps.Equal(s.Labels, b.labels)
		})
		if keeps >= 0 {
			b.Delete = slices.Delete(b.Delete, keeps, keeps+1)
			continue
		}
		b.Create = append(b.Create, b.fresh(f, []discoveryv1.EndpointPort{}))
	}
}

// reuse makes slices that would be deleted what would be created.
func (b *builder) reuse() {
	b.Create = slices.DeleteFunc(b.Create, func(s *discoveryv1.EndpointSlice) bool {
		i := slices.IndexFunc(b.Delete, func(d *discoveryv1.EndpointSlice) bool { return d.AddressType == s.AddressType })
		if i < 0 {
			return false
		}
		c := b.with(b.Delete[i], s.Endpoints)
		c.Ports = s.Ports
		b.Update = append(b.Update, c)
		b.Delete = slices.Delete(b.Delete, i, i+1)
		return true
	})
}

// name gives the new slices names that follow from the service.
func (b *builder) name(taken func(string) bool) {
	n := 0
	for _, s := range b.Create {
		for ; s.Name == "" || taken(s.Name); n++ {
			s.Name = owner.Name(s.GenerateName, b.svc.UID, n)
		}
	}
}

// labelsOf are what a slice of svc is labelled with: the service's labels, and what is said
// of slices alone.
func labelsOf(svc *corev1.Service) map[string]string {
	out := maps.Clone(svc.Labels)
	if out == nil {
		out = map[string]string{}
	}
	delete(out, corev1.IsHeadlessService)
	if headless(svc) {
		out[corev1.IsHeadlessService] = ""
	}
	out[discoveryv1.LabelServiceName], out[discoveryv1.LabelManagedBy] = svc.Name, managedBy
	return out
}

func headless(svc *corev1.Service) bool {
	return svc.Spec.ClusterIP == "" || svc.Spec.ClusterIP == corev1.ClusterIPNone
}
