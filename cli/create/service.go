package create

import (
	"context"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
)

// Service is `skerry create service`.
type Service struct {
	ClusterIP    ClusterIP    `cmd:"" name:"clusterip" help:"With an address within the cluster."`
	NodePort     NodePort     `cmd:"" name:"nodeport" help:"With a port of every node as well."`
	LoadBalancer LoadBalancer `cmd:"" name:"loadbalancer" help:"With a load balancer before it."`
	ExternalName ExternalName `cmd:"" name:"externalname" help:"As another name of something outside."`
}

// serviceOptions are those of all sorts of services.
type serviceOptions struct {
	Options
	Name string   `arg:"" help:"Its name; it selects the pods labelled app=NAME."`
	TCP  []string `name:"tcp" help:"Ports, as PORT[:TARGET]; may be repeated." placeholder:"PORT[:TARGET]"`
}

// ClusterIP is `skerry create service clusterip`.
type ClusterIP struct {
	serviceOptions
	ClusterIP string `name:"clusterip" help:"The address, or None for a headless service; one is chosen by default." placeholder:"IP"`
}

// NodePort is `skerry create service nodeport`.
type NodePort struct {
	serviceOptions
	NodePort int32 `help:"The port of the nodes; one is chosen by default." placeholder:"PORT"`
}

// LoadBalancer is `skerry create service loadbalancer`.
type LoadBalancer struct{ serviceOptions }

// ExternalName is `skerry create service externalname`.
type ExternalName struct {
	serviceOptions
	ExternalName string `help:"What it is another name of." required:"" placeholder:"NAME"`
}

// Run implements the command.
func (c *ClusterIP) Run(ctx context.Context, s *session.Session) error {
	if len(c.TCP) == 0 && c.ClusterIP != corev1.ClusterIPNone {
		return failure.Usage("at least one tcp port specifier must be provided")
	}
	return c.service(ctx, s, corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: c.ClusterIP}, 0)
}

// Run implements the command.
func (c *NodePort) Run(ctx context.Context, s *session.Session) error {
	if len(c.TCP) == 0 {
		return failure.Usage("at least one tcp port specifier must be provided")
	}
	return c.service(ctx, s, corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort}, c.NodePort)
}

// Run implements the command.
func (c *LoadBalancer) Run(ctx context.Context, s *session.Session) error {
	if len(c.TCP) == 0 {
		return failure.Usage("at least one tcp port specifier must be provided")
	}
	return c.service(ctx, s, corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}, 0)
}

// Run implements the command.
func (c *ExternalName) Run(ctx context.Context, s *session.Session) error {
	return c.service(ctx, s, corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: c.ExternalName}, 0)
}

// service creates the service that spec begins.
func (c *serviceOptions) service(ctx context.Context, s *session.Session, spec corev1.ServiceSpec, nodePort int32) error {
	labels := map[string]string{"app": c.Name}
	spec.Selector = labels
	for _, arg := range c.TCP {
		port, err := servicePort(arg)
		if err != nil {
			return err
		}
		port.NodePort = nodePort
		spec.Ports = append(spec.Ports, port)
	}
	return c.Object(ctx, s, schemas.Services, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: c.Name, Labels: labels}, Spec: spec})
}

// servicePort reads "80", "80:8080" and "80:http".
func servicePort(arg string) (corev1.ServicePort, error) {
	port, target, two := strings.Cut(arg, ":")
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return corev1.ServicePort{}, failure.Usage("--tcp %s: the port must be a number from 1 to 65535", arg)
	}
	out := corev1.ServicePort{Name: strings.ReplaceAll(arg, ":", "-"), Port: int32(n), Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(int32(n))}
	if !two {
		return out, nil
	}
	out.TargetPort = intstr.Parse(target)
	why := validation.IsValidPortNum(int(out.TargetPort.IntVal))
	if out.TargetPort.Type == intstr.String {
		why = validation.IsValidPortName(target)
	}
	if len(why) > 0 {
		return out, failure.Usage("--tcp %s: %s", arg, strings.Join(why, ", "))
	}
	return out, nil
}
