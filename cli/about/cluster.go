package about

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/net"

	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
)

// Cluster is `skerry cluster-info`.
type Cluster struct{}

// Run implements the command: where the cluster is, and those of its services that say
// they are part of it.
func (c *Cluster) Run(ctx context.Context, s *session.Session) error {
	at, err := s.Cluster()
	if err != nil {
		return err
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	ns := schemas.Namespace(metav1.NamespaceSystem)
	if s.Globals.Namespace != "" {
		ns = s.Namespace()
	}
	objs, _, err := client.List(ctx, schemas.Services, ns, metav1.ListOptions{LabelSelector: "kubernetes.io/cluster-service=true"})
	if err != nil {
		return err
	}
	s.Printf("Skerry control plane is running at %s\n", at.Server)
	for _, o := range objs {
		if svc, ok := o.(*corev1.Service); ok {
			s.Printf("%s is running at %s\n", title(svc), proxyOf(svc))
		}
	}
	return nil
}

func title(svc *corev1.Service) string {
	if name := svc.Labels["kubernetes.io/name"]; name != "" {
		return name
	}
	return svc.Name
}

// proxyOf is the path at which the HTTP API leads to svc.
func proxyOf(svc *corev1.Service) string {
	name := svc.Name
	if len(svc.Spec.Ports) > 0 {
		p, scheme := svc.Spec.Ports[0], ""
		if p.Name == "https" || p.Port == 443 {
			scheme = "https"
		}
		name = net.JoinSchemeNamePort(scheme, svc.Name, p.Name)
	}
	return fmt.Sprintf("/api/v1/namespaces/%s/services/%s/proxy", svc.Namespace, name)
}
