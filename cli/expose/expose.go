// Package expose is `skerry expose`: a service for what there is already.
//
// It reads the object and creates a service through the apiserver. What always holds: the
// service selects what the object does, and has its ports, unless flags say otherwise.
package expose

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/skerry/skerry/cli/create"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/manifest"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
	"github.com/skerry/skerry/schemas"
)

// Command is `skerry expose`.
type Command struct {
	Args []string `arg:"" optional:"" name:"type/name" help:"What to expose: a pod, deployment, replicaset or service."`

	manifest.Flags
	create.Options
	Port            string `help:"The service's port, or several with commas; the object's by default." placeholder:"PORT"`
	TargetPort      string `help:"The pods' port, by number or name; the service's by default." placeholder:"PORT"`
	Protocol        string `help:"TCP, UDP or SCTP; the object's, or TCP, by default." enum:",TCP,UDP,SCTP" default:"" placeholder:"PROTOCOL"`
	Name            string `help:"Name of the service; the object's by default." placeholder:"NAME"`
	Type            string `help:"ClusterIP, NodePort, LoadBalancer or ExternalName." placeholder:"TYPE"`
	ClusterIP       string `name:"cluster-ip" help:"The address, or None for a headless service." placeholder:"IP"`
	ExternalIP      string `name:"external-ip" help:"Another address that it is meant to be reached at." placeholder:"IP"`
	LoadBalancerIP  string `name:"load-balancer-ip" help:"Address that the load balancer is to have." placeholder:"IP"`
	SessionAffinity string `help:"None or ClientIP." placeholder:"AFFINITY"`
	Selector        string `help:"Labels of the pods; what the object selects by default." placeholder:"LABELS"`
	Labels          string `short:"l" help:"Labels of the service; the object's by default." placeholder:"LABELS"`
}

// Run implements the command.
func (c *Command) Run(ctx context.Context, s *session.Session) error {
	want, err := c.Want(ctx, s, c.Args)
	if err != nil {
		return err
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	found, err := target.One(ctx, client, want, s.Namespace())
	if err != nil {
		return err
	}
	svc, err := c.service(found)
	if err != nil {
		return err
	}
	c.Done = "exposed"
	return c.Object(ctx, s, schemas.Services, svc)
}

// service is the one that o is exposed by.
func (c *Command) service(o target.Found) (*corev1.Service, error) {
	of, err := exposed(o)
	if err != nil {
		return nil, err
	}
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: c.Name, Labels: o.Object.GetLabels()}}
	if svc.Name == "" {
		svc.Name = o.Object.GetName()
		svc.Name = svc.Name[:min(len(svc.Name), 63)]
	}
	svc.Spec = corev1.ServiceSpec{
		Type: corev1.ServiceType(c.Type), ClusterIP: c.ClusterIP, SessionAffinity: corev1.ServiceAffinity(c.SessionAffinity), LoadBalancerIP: c.LoadBalancerIP, Selector: of.selector,
	}
	for _, l := range []struct {
		text string
		to   *map[string]string
	}{{c.Labels, &svc.Labels}, {c.Selector, &svc.Spec.Selector}} {
		if l.text == "" {
			continue
		}
		if *l.to, err = labels.ConvertSelectorToLabelsMap(l.text); err != nil {
			return nil, failure.Usage("read labels %q: %v", l.text, err)
		}
	}
	if len(svc.Spec.Selector) == 0 {
		return nil, fmt.Errorf("couldn't retrieve selectors via --selector flag or introspection: %s has none that a service can have", o.Label())
	}
	if c.ExternalIP != "" {
		svc.Spec.ExternalIPs = []string{c.ExternalIP}
	}
	svc.Spec.Ports, err = c.ports(of.ports)
	return svc, err
}

// ports are those that flags name, or else the object's.
func (c *Command) ports(of []corev1.ServicePort) ([]corev1.ServicePort, error) {
	var numbers []int32
	for _, p := range of {
		if c.Port == "" && !slices.Contains(numbers, p.Port) {
			numbers = append(numbers, p.Port)
		}
	}
	for _, text := range strings.FieldsFunc(c.Port, func(r rune) bool { return r == ',' }) {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return nil, failure.Usage("--port %s: must be a number", text)
		}
		numbers = append(numbers, int32(n))
	}
	if len(numbers) == 0 && c.ClusterIP != corev1.ClusterIPNone {
		return nil, fmt.Errorf("couldn't find port via --port flag or introspection")
	}
	var out []corev1.ServicePort
	for i, n := range numbers {
		protocols := c.protocols(of, n)
		for _, protocol := range protocols {
			p := corev1.ServicePort{Port: n, Protocol: protocol, TargetPort: intstr.FromInt32(n)}
			switch {
			case len(protocols) > 1:
				p.Name = fmt.Sprintf("port-%d-%s", i+1, strings.ToLower(string(protocol)))
			case len(numbers) > 1:
				p.Name = fmt.Sprintf("port-%d", i+1)
			}
			if c.TargetPort != "" {
				p.TargetPort = intstr.Parse(c.TargetPort)
			}
			out = append(out, p)
		}
	}
	return out, nil
}

// protocols are those that the object has the port n with.
func (c *Command) protocols(of []corev1.ServicePort, n int32) (out []corev1.Protocol) {
	if c.Protocol != "" {
		return []corev1.Protocol{corev1.Protocol(c.Protocol)}
	}
	for _, p := range of {
		if p.Port == n && !slices.Contains(out, p.Protocol) {
			out = append(out, p.Protocol)
		}
	}
	if len(out) == 0 {
		out = append(out, corev1.ProtocolTCP)
	}
	return out
}

// object is what of an object a service is made from.
type object struct {
	selector map[string]string
	ports    []corev1.ServicePort
}

func exposed(o target.Found) (object, error) {
	switch obj := o.Object.(type) {
	case *corev1.Pod:
		if len(obj.Labels) == 0 {
			return object{}, fmt.Errorf("couldn't retrieve selectors via --selector flag or introspection: the pod has no labels and cannot be exposed")
		}
		return object{obj.Labels, declared(&obj.Spec)}, nil
	case *corev1.Service:
		return object{obj.Spec.Selector, obj.Spec.Ports}, nil
	case *appsv1.Deployment:
		return template(obj.Spec.Selector, &obj.Spec.Template.Spec)
	case *appsv1.ReplicaSet:
		return template(obj.Spec.Selector, &obj.Spec.Template.Spec)
	}
	return object{}, fmt.Errorf("cannot expose a %s", o.Kind.GroupVersionKind().GroupKind())
}

func template(s *metav1.LabelSelector, spec *corev1.PodSpec) (object, error) {
	if s != nil && len(s.MatchExpressions) > 0 {
		return object{}, fmt.Errorf("couldn't convert expressions - \"%+v\" to map-based selector format", s.MatchExpressions)
	}
	if s == nil {
		return object{nil, declared(spec)}, nil
	}
	return object{s.MatchLabels, declared(spec)}, nil
}

// declared are the ports that a pod's containers name.
func declared(spec *corev1.PodSpec) (out []corev1.ServicePort) {
	for _, c := range spec.Containers {
		for _, p := range c.Ports {
			out = append(out, corev1.ServicePort{Port: p.ContainerPort, Protocol: p.Protocol})
		}
	}
	return out
}
