package create

import (
	"context"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/schemas"
)

// grant is the flags of a rule.
type grant struct {
	Verb         []string `help:"What may be done: get, list, watch, create, …" required:"" placeholder:"VERB"`
	Resource     []string `help:"To which kinds: pods, deployments.apps, pods/log." placeholder:"RESOURCE"`
	ResourceName []string `help:"To these objects only." placeholder:"NAME"`
}

// rules makes one rule for each API group.
func (g *grant) rules(s *session.Session) ([]rbacv1.PolicyRule, error) {
	var order []string
	byGroup := map[string][]string{}
	for _, arg := range g.Resource {
		name, sub, _ := strings.Cut(arg, "/")
		group := ""
		switch k := s.Table.Find(name); {
		case name == "*":
			group = "*"
		case k == nil:
			return nil, failure.Usage("the server doesn't have a resource type %q; `skerry api-resources` lists those it has", name)
		default:
			name, group = k.Resource.Plural, k.Resource.Group
		}
		if sub != "" {
			name += "/" + sub
		}
		if byGroup[group] == nil {
			order = append(order, group)
		}
		byGroup[group] = append(byGroup[group], name)
	}
	var out []rbacv1.PolicyRule
	for _, group := range order {
		out = append(out, rbacv1.PolicyRule{Verbs: g.Verb, APIGroups: []string{group}, Resources: byGroup[group], ResourceNames: g.ResourceName})
	}
	return out, nil
}

// Role is `skerry create role`.
type Role struct {
	Options
	grant
	Name string `arg:"" help:"Its name."`
}

// Run implements the command.
func (c *Role) Run(ctx context.Context, s *session.Session) error {
	rules, err := c.rules(s)
	if err != nil {
		return err
	}
	if len(rules) == 0 {
		return failure.Usage("at least one resource must be specified")
	}
	return c.Object(ctx, s, schemas.Roles, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: c.Name}, Rules: rules})
}

// ClusterRole is `skerry create clusterrole`.
type ClusterRole struct {
	Options
	grant
	NonResourceURL []string `name:"non-resource-url" help:"To paths that are no objects: /healthz." placeholder:"PATH"`
	Name           string   `arg:"" help:"Its name."`
}

// Run implements the command.
func (c *ClusterRole) Run(ctx context.Context, s *session.Session) error {
	rules, err := c.rules(s)
	if err != nil {
		return err
	}
	if len(c.NonResourceURL) > 0 {
		rules = append(rules, rbacv1.PolicyRule{Verbs: c.Verb, NonResourceURLs: c.NonResourceURL})
	}
	if len(rules) == 0 {
		return failure.Usage("at least one resource or path must be specified")
	}
	return c.Object(ctx, s, schemas.ClusterRoles, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: c.Name}, Rules: rules})
}

// Subjects is the flags that say who gets a role.
type Subjects struct {
	ForUser        []string `help:"Users who get it; also --user, after the command's name." shadows:"user" placeholder:"NAME"`
	Group          []string `help:"Groups that get it." placeholder:"NAME"`
	ServiceAccount []string `name:"serviceaccount" help:"Service accounts that get it." placeholder:"NAMESPACE:NAME"`
}

// List is who is named.
func (c *Subjects) List() ([]rbacv1.Subject, error) {
	var out []rbacv1.Subject
	for _, u := range c.ForUser {
		out = append(out, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: u})
	}
	for _, g := range c.Group {
		out = append(out, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: g})
	}
	for _, a := range c.ServiceAccount {
		ns, name, ok := strings.Cut(a, ":")
		if !ok || ns == "" || name == "" {
			return nil, failure.Usage("serviceaccount must be <namespace>:<name>, not %q", a)
		}
		out = append(out, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: ns, Name: name})
	}
	return out, nil
}

// RoleBinding is `skerry create rolebinding`.
type RoleBinding struct {
	Options
	Subjects
	Role        string `help:"The role of the namespace." xor:"role" placeholder:"NAME"`
	ClusterRole string `name:"clusterrole" help:"The cluster role." xor:"role" placeholder:"NAME"`
	Name        string `arg:"" help:"Its name."`
}

// Run implements the command.
func (c *RoleBinding) Run(ctx context.Context, s *session.Session) error {
	role := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: c.Role}
	if c.ClusterRole != "" {
		role.Kind, role.Name = "ClusterRole", c.ClusterRole
	}
	if role.Name == "" {
		return failure.Usage("exactly one of clusterrole or role must be specified")
	}
	who, err := c.List()
	if err != nil {
		return err
	}
	return c.Object(ctx, s, schemas.RoleBindings, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: c.Name}, RoleRef: role, Subjects: who})
}

// ClusterRoleBinding is `skerry create clusterrolebinding`.
type ClusterRoleBinding struct {
	Options
	Subjects
	ClusterRole string `name:"clusterrole" help:"The cluster role." required:"" placeholder:"NAME"`
	Name        string `arg:"" help:"Its name."`
}

// Run implements the command.
func (c *ClusterRoleBinding) Run(ctx context.Context, s *session.Session) error {
	who, err := c.List()
	if err != nil {
		return err
	}
	return c.Object(ctx, s, schemas.ClusterRoleBindings, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: c.Name}, Subjects: who,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: c.ClusterRole},
	})
}
