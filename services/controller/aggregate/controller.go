// Package aggregate fills cluster roles that are made of others.
//
// Reads: clusterroles.
// Writes: the rules of clusterroles with an aggregationRule, through the apiserver.
// Triggered by: changes of any clusterrole.
// Invariant: such a role holds the rules of the roles that its selectors match, in the
// order of their names, and no others; doing it again changes nothing.
package aggregate

import (
	"context"
	"fmt"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

// Controller reconciles aggregated cluster roles.
type Controller struct{ c *cluster.Cluster }

// New returns the controller.
func New(c *cluster.Cluster) *Controller { return &Controller{c: c} }

// Keys returns the aggregated roles: any of them may hold the one that changed, or have held it.
func (k *Controller) Keys(ch view.Change) (keys []schemas.Ref) {
	if ch.Ref.Resource != schemas.ClusterRoles {
		return nil
	}
	for _, r := range k.roles() {
		if r.AggregationRule != nil {
			keys = append(keys, schemas.RefOf(schemas.ClusterRoles, r))
		}
	}
	return keys
}

func (k *Controller) roles() (out []*rbacv1.ClusterRole) {
	for _, o := range k.c.View.List(schemas.ClusterRoles, "") {
		if r, ok := o.(*rbacv1.ClusterRole); ok {
			out = append(out, r)
		}
	}
	return out
}

// Reconcile gives the role that key names its rules.
func (k *Controller) Reconcile(ctx context.Context, key schemas.Ref) (time.Duration, error) {
	// Load.
	o, ok := k.c.View.Get(key)
	if !ok {
		return 0, nil
	}
	role, ok := o.(*rbacv1.ClusterRole)
	if !ok || role.AggregationRule == nil || role.DeletionTimestamp != nil {
		return 0, nil
	}
	// Plan.
	rules, err := plan(role, k.roles())
	if err != nil || equality.Semantic.DeepEqual(rules, role.Rules) {
		return 0, err
	}
	// Apply.
	next := role.DeepCopy()
	next.Rules = rules
	if _, err := k.c.API.Update(ctx, schemas.ClusterRoles, next, ""); err != nil && !apierrors.IsNotFound(err) {
		return 0, fmt.Errorf("aggregate %s: %w", key, err)
	}
	return 0, nil
}

// plan gathers the rules of all roles that role's selectors match.
func plan(role *rbacv1.ClusterRole, all []*rbacv1.ClusterRole) ([]rbacv1.PolicyRule, error) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b *rbacv1.ClusterRole) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return 0
	})
	var rules []rbacv1.PolicyRule
	for i := range role.AggregationRule.ClusterRoleSelectors {
		s, err := metav1.LabelSelectorAsSelector(&role.AggregationRule.ClusterRoleSelectors[i])
		if err != nil {
			return nil, fmt.Errorf("aggregate cluster role %s: %w", role.Name, err)
		}
		for _, r := range all {
			if r.Name == role.Name || !s.Matches(labels.Set(r.Labels)) {
				continue
			}
			for _, rule := range r.Rules {
				if !slices.ContainsFunc(rules, func(have rbacv1.PolicyRule) bool { return equality.Semantic.DeepEqual(have, rule) }) {
					rules = append(rules, rule)
				}
			}
		}
	}
	return rules, nil
}
