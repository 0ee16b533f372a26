package set

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/skerry/skerry/cli/create"
	"github.com/skerry/skerry/cli/failure"
	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/cli/target"
)

// Account is `skerry set serviceaccount`.
type Account struct {
	flags
	Args []string `arg:"" name:"type/name account" help:"The objects, then the service account."`
}

// Run implements the command.
func (c *Account) Run(ctx context.Context, s *session.Session) error {
	objects, name := c.Args[:len(c.Args)-1], c.Args[len(c.Args)-1]
	if len(objects) == 0 && len(c.Filename) == 0 || strings.Contains(name, "/") {
		return failure.Usage("serviceaccount is required: skerry set serviceaccount TYPE/NAME ACCOUNT")
	}
	return c.run(ctx, s, objects, "serviceaccount updated", func(spec *corev1.PodSpec) (map[string]any, error) {
		if spec.ServiceAccountName == name {
			return nil, nil
		}
		// serviceAccount is the older field of the same meaning.
		return map[string]any{"serviceAccountName": name, "serviceAccount": name}, nil
	})
}

// Subject is `skerry set subject`.
type Subject struct {
	flags
	create.Subjects
	Args []string `arg:"" optional:"" name:"type/name" help:"The role bindings and cluster role bindings."`
}

// Run implements the command.
func (c *Subject) Run(ctx context.Context, s *session.Session) error {
	more, err := c.List()
	if err != nil {
		return err
	}
	if len(more) == 0 {
		return failure.Usage("you must specify at least one value of user, group or serviceaccount")
	}
	return c.each(ctx, s, c.Args, "subjects updated", func(o target.Found) (any, error) {
		var now []rbacv1.Subject
		switch b := o.Object.(type) {
		case *rbacv1.RoleBinding:
			now = b.Subjects
		case *rbacv1.ClusterRoleBinding:
			now = b.Subjects
		default:
			return nil, errors.New("setting subjects is only supported for RoleBinding/ClusterRoleBinding")
		}
		all := slices.Clone(now)
		for _, m := range more {
			if !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
		if len(all) == len(now) {
			return nil, nil
		}
		return map[string]any{"subjects": all}, nil
	})
}

// Selector is `skerry set selector`.
type Selector struct {
	flags
	Args []string `arg:"" name:"type/name selector" help:"The services, then the selector, as app=web,tier=db."`
}

// Run implements the command.
func (c *Selector) Run(ctx context.Context, s *session.Session) error {
	objects, text := c.Args[:len(c.Args)-1], c.Args[len(c.Args)-1]
	selector, err := labels.ConvertSelectorToLabelsMap(text)
	if err != nil {
		return failure.Usage("%q is no selector: %v", text, err)
	}
	return c.each(ctx, s, objects, "selector updated", func(o target.Found) (any, error) {
		svc, ok := o.Object.(*corev1.Service)
		if !ok {
			return nil, errors.New("setting a selector is only supported for Services")
		}
		if maps.Equal(svc.Spec.Selector, selector) {
			return nil, nil
		}
		all := map[string]any{"$patch": "replace"}
		for k, v := range selector {
			all[k] = v
		}
		return map[string]any{"spec": map[string]any{"selector": all}}, nil
	})
}
