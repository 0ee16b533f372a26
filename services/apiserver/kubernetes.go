package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/schemas"
)

const (
	// apiService is the service of the HTTP API itself, in the namespace default.
	apiService = "kubernetes"
	// apiPort is where a gateway listens if nothing else is said.
	apiPort = 6443
	// apiServiceEvery is how often it is looked after, and a try that failed repeated.
	apiServiceEvery = 10 * time.Second
)

// keepService makes the service of the HTTP API, says once where its gateway is if that is
// known, and makes it again when somebody has deleted it. Nothing waits for it. If its address
// was given away before, it waits for that service to go.
func (s *server) keepService(ctx context.Context) error {
	told := false
	for {
		if err := s.ensureService(ctx, !told); err != nil {
			s.Log.Warn("make the service of the API", "error", err)
		} else {
			told = true
		}
		if pause.About(ctx, apiServiceEvery) != nil {
			return nil
		}
	}
}

// ensureService makes the service if it is not there and, with tell, what says where the gateway is.
func (s *server) ensureService(ctx context.Context, tell bool) error {
	port := int32(apiPort)
	if s.Gateway.IsValid() {
		port = int32(s.Gateway.Port())
	}
	ip := s.registry.Ranges.First().String()
	svc := &v1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: apiService, Namespace: metav1.NamespaceDefault, Labels: map[string]string{"component": "apiserver", "provider": "kubernetes"}},
		Spec: v1.ServiceSpec{
			Type: v1.ServiceTypeClusterIP, ClusterIP: ip, ClusterIPs: []string{ip},
			Ports: []v1.ServicePort{{Name: "https", Port: 443, Protocol: v1.ProtocolTCP, TargetPort: intstr.FromInt32(port)}},
		},
	}
	if err := s.ensure(ctx, schemas.Services, svc, false); err != nil || !tell || !s.Gateway.IsValid() {
		return err
	}
	at := s.Gateway.Addr().String()
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: apiService, Namespace: metav1.NamespaceDefault, Labels: map[string]string{discoveryv1.LabelServiceName: apiService}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new("https"), Protocol: new(v1.ProtocolTCP), Port: &port}},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{at}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}},
	}
	if err := s.ensure(ctx, schemas.EndpointSlices, slice, true); err != nil {
		return err
	}
	return s.ensure(ctx, schemas.Endpoints, &v1.Endpoints{
		ObjectMeta: metav1.ObjectMeta{Name: apiService, Namespace: metav1.NamespaceDefault, Labels: map[string]string{discoveryv1.LabelSkipMirror: "true"}},
		Subsets: []v1.EndpointSubset{{
			Addresses: []v1.EndpointAddress{{IP: at}},
			Ports:     []v1.EndpointPort{{Name: "https", Port: port, Protocol: v1.ProtocolTCP}},
		}},
	}, true)
}

// ensure makes obj if it is not there, and with replace also makes it as it is here.
func (s *server) ensure(ctx context.Context, r schemas.Resource, obj schemas.Object, replace bool) error {
	k := s.Table.ByResource(r)
	if k == nil {
		return nil
	}
	ref := schemas.RefOf(r, obj)
	if _, exists := s.view.Get(ref); !exists {
		if err := s.make(ctx, k, ref, obj); !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	if !replace {
		return nil
	}
	body, err := json.Marshal(obj)
	if err != nil {
		return fmt.Errorf("encode %s: %w", ref, err)
	}
	_, err = s.registry.Do(ctx, &api.Request{User: s.conn.User, Verb: api.VerbUpdate, Resource: r, Namespace: ref.Namespace, Name: ref.Name, Body: body}, k)
	return err
}
