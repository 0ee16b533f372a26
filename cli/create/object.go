package create

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
)

// Namespace is `skerry create namespace`.
type Namespace struct {
	Options
	Name string `arg:"" help:"Its name."`
}

// Run implements the command.
func (c *Namespace) Run(ctx context.Context, s *session.Session) error {
	return c.Object(ctx, s, schemas.Namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.Name}})
}

// ServiceAccount is `skerry create serviceaccount`.
type ServiceAccount struct {
	Options
	Name string `arg:"" help:"Its name."`
}

// Run implements the command.
func (c *ServiceAccount) Run(ctx context.Context, s *session.Session) error {
	return c.Object(ctx, s, schemas.ServiceAccounts, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: c.Name}})
}

// PriorityClass is `skerry create priorityclass`.
type PriorityClass struct {
	Options
	Name             string `arg:"" help:"Its name."`
	Value            int32  `help:"The priority: higher comes first." default:"0" placeholder:"N"`
	GlobalDefault    bool   `help:"Give it to pods that name none."`
	Description      string `help:"What it is for." placeholder:"TEXT"`
	PreemptionPolicy string `help:"PreemptLowerPriority or Never." enum:"PreemptLowerPriority,Never" default:"PreemptLowerPriority" placeholder:"POLICY"`
}

// Run implements the command.
func (c *PriorityClass) Run(ctx context.Context, s *session.Session) error {
	policy := corev1.PreemptionPolicy(c.PreemptionPolicy)
	return c.Object(ctx, s, schemas.PriorityClasses, &schedulingv1.PriorityClass{
		ObjectMeta: metav1.ObjectMeta{Name: c.Name}, Value: c.Value, GlobalDefault: c.GlobalDefault,
		Description: c.Description, PreemptionPolicy: &policy,
	})
}

// Deployment is `skerry create deployment`.
type Deployment struct {
	Options
	Name     string   `arg:"" help:"Its name."`
	Image    []string `help:"Image to run; several make several containers." required:"" placeholder:"IMAGE"`
	Replicas int32    `short:"r" help:"How many pods." default:"1" placeholder:"N"`
	Port     int32    `help:"Port that the container listens on." default:"-1" placeholder:"PORT"`
	Command  []string `arg:"" optional:"" help:"After --: the command to run instead of the image's."`
}

// Run implements the command.
func (c *Deployment) Run(ctx context.Context, s *session.Session) error {
	if len(c.Command) > 0 && len(c.Image) > 1 {
		return fmt.Errorf("cannot specify multiple --image options and command")
	}
	labels := map[string]string{"app": c.Name}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: c.Name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &c.Replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}},
		},
	}
	for i, image := range c.Image {
		ct := corev1.Container{Name: containerName(image), Image: image, Command: c.Command}
		for _, other := range d.Spec.Template.Spec.Containers {
			if other.Name == ct.Name {
				ct.Name = fmt.Sprintf("%s-%d", ct.Name, i)
			}
		}
		if c.Port >= 0 && i == 0 {
			ct.Ports = []corev1.ContainerPort{{ContainerPort: c.Port}}
		}
		d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, ct)
	}
	return c.Object(ctx, s, schemas.Deployments, d)
}

// containerName makes "nginx" of "registry.example/library/nginx:1.27@sha256:…".
func containerName(image string) string {
	name := image[strings.LastIndex(image, "/")+1:]
	name, _, _ = strings.Cut(name, "@")
	name, _, _ = strings.Cut(name, ":")
	name = strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	return strings.Trim(name, "-")
}
