package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/component-helpers/auth/rbac/validation"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/rbac"
)

// rolesEvery is how long a try that failed is followed by another.
const rolesEvery = 5 * time.Second

// bootstrapRoles makes the roles that every cluster has, and completes those of an
// older version, beside the requests: who asks for them is not there yet.
func (s *server) bootstrapRoles(ctx context.Context) error {
	for {
		var g errgroup.Group // at once: what waits for the disk together costs one sync
		for _, obj := range rbac.Defaults() {
			g.Go(func() error { return s.ensureRole(ctx, obj) })
		}
		err := g.Wait()
		if err == nil {
			return nil
		}
		s.Log.Warn("make the default roles", "error", err)
		if pause.For(ctx, rolesEvery) != nil {
			return nil
		}
	}
}

// ensureRole makes obj if it is not there, and adds what it lacks unless its owner forbids it.
func (s *server) ensureRole(ctx context.Context, obj schemas.Object) error {
	resource := schemas.ClusterRoles
	if _, binding := obj.(*rbacv1.ClusterRoleBinding); binding {
		resource = schemas.ClusterRoleBindings
	}
	k := s.Table.ByResource(resource)
	if k == nil {
		return nil
	}
	ref := schemas.RefOf(resource, obj)
	there, exists := s.view.Get(ref)
	if !exists {
		err := s.make(ctx, k, ref, obj)
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	}
	next := completed(there, obj)
	if next == nil {
		return nil
	}
	body, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("encode %s: %w", ref, err)
	}
	_, err = s.registry.Do(ctx, &api.Request{User: s.conn.User, Verb: api.VerbUpdate, Resource: resource, Name: ref.Name, Body: body}, k)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return fmt.Errorf("complete %s: %w", ref, err) // the next try sees what is there now
	}
	return err
}

// completed is the role there with the rules that want has and it has not; nil if it
// lacks none, or is not to be changed.
func completed(there, want schemas.Object) schemas.Object {
	role, ok := there.(*rbacv1.ClusterRole)
	wanted, same := want.(*rbacv1.ClusterRole)
	if !ok || !same || role.Annotations[rbac.Autoupdate] != "true" {
		return nil
	}
	covered, missing := validation.Covers(role.Rules, wanted.Rules)
	if covered {
		return nil
	}
	next := role.DeepCopy()
	next.Rules = append(next.Rules, missing...)
	return next
}
