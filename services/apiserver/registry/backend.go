package registry

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/net"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
)

// balanced answers a request for a proxy to a service, called [scheme:]NAME[:port], with one
// of its ready endpoints that is a pod, at random. Which endpoints it has its slices say,
// whoever made them; that an address is the pod's is looked up, so that nobody who may write
// slices reaches what is no pod of the namespace.
func (g *Registry) balanced(ctx context.Context, r *api.Request, k *schemas.Kind) (*api.Reply, error) {
	scheme, name, port, ok := net.SplitSchemeNamePort(string(r.Name))
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("invalid service request %q", r.Name))
	}
	if err := g.State.Fresh(ctx); err != nil {
		return nil, err
	}
	if n, err := strconv.ParseInt(port, 10, 32); err == nil {
		if port, err = g.portName(ctx, r, k, schemas.Name(name), int32(n)); err != nil {
			return nil, err
		}
	}
	for _, s := range shuffled(g.slicesOf(r.Namespace, name)) {
		i := slices.IndexFunc(s.Ports, func(p discoveryv1.EndpointPort) bool { return p.Port != nil && p.Name != nil && *p.Name == port })
		if i < 0 {
			continue
		}
		for _, e := range shuffled(s.Endpoints) {
			if p := g.podAt(r.Namespace, &e); p != nil {
				return reply(api.Backend{Scheme: scheme, Port: *s.Ports[i].Port, Pod: p}, nil, false)
			}
		}
	}
	return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("no endpoints available for service %q", name))
}

// portName is what the service calls its port n.
func (g *Registry) portName(ctx context.Context, r *api.Request, k *schemas.Kind, name schemas.Name, n int32) (string, error) {
	obj, err := g.read(ctx, &api.Request{Resource: r.Resource, Namespace: r.Namespace, Name: name}, k)
	if err != nil {
		return "", err
	}
	svc, ok := obj.(*v1.Service)
	if !ok {
		return "", NoKind(r.Resource)
	}
	for _, p := range svc.Spec.Ports {
		if p.Port == n {
			return p.Name, nil
		}
	}
	return "", apierrors.NewServiceUnavailable(fmt.Sprintf("no service port %d found for service %q", n, name))
}

func (g *Registry) slicesOf(ns schemas.Namespace, service string) (out []*discoveryv1.EndpointSlice) {
	for _, o := range g.State.List(schemas.EndpointSlices, ns) {
		if s, ok := o.(*discoveryv1.EndpointSlice); ok && s.Labels[discoveryv1.LabelServiceName] == service {
			out = append(out, s)
		}
	}
	return out
}

// podAt is the pod that e is, nil if e is not ready or is none.
func (g *Registry) podAt(ns schemas.Namespace, e *discoveryv1.Endpoint) *v1.Pod {
	ready := e.Conditions.Ready == nil || *e.Conditions.Ready
	if !ready || e.TargetRef == nil || e.TargetRef.Namespace != string(ns) || len(e.Addresses) == 0 {
		return nil
	}
	o, _ := g.State.Get(schemas.Ref{Resource: schemas.Pods, Namespace: ns, Name: schemas.Name(e.TargetRef.Name)})
	p, ok := o.(*v1.Pod)
	if !ok || !slices.ContainsFunc(p.Status.PodIPs, func(ip v1.PodIP) bool { return ip.IP == e.Addresses[0] }) {
		return nil
	}
	return p
}

// shuffled is a copy of all in a random order.
func shuffled[T any](all []T) []T {
	out := slices.Clone(all)
	rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}
