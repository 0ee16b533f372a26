package deployment

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
)

// errCollision asks for another try under another name.
var errCollision = errors.New("another pod template has this hash")

// apply carries p out. Creating comes first: it is what pods wait for.
func (k *Controller) apply(ctx context.Context, d *appsv1.Deployment, p *Plan) error {
	if p.Create != nil {
		if err := k.create(ctx, d, p); err != nil || p.Create == nil {
			return err
		}
	}
	for _, ch := range p.Update {
		if _, err := k.c.API.Update(ctx, schemas.ReplicaSets, ch.Set, ""); err != nil {
			return fmt.Errorf("update replicaset %s: %w", ch.Set.Name, err)
		}
		k.noteScaled(d, ch.Set.Name, ch.Was, size(ch.Set))
	}
	for _, rs := range p.Delete {
		uid := rs.UID
		err := k.c.API.Delete(ctx, schemas.RefOf(schemas.ReplicaSets, rs), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete replicaset %s: %w", rs.Name, err)
		}
	}
	if p.Revision != "" {
		copy := d.DeepCopy()
		metav1.SetMetaDataAnnotation(&copy.ObjectMeta, RevisionAnnotation, p.Revision)
		if _, err := k.c.API.Update(ctx, schemas.Deployments, copy, ""); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("number deployment %s: %w", d.Name, err)
		}
	}
	return nil
}

// create makes the plan's new set. If its name is taken by a set of the same
// template that is d's own, an earlier try got through; if by another, the hash
// collided and the next plan gets another name.
func (k *Controller) create(ctx context.Context, d *appsv1.Deployment, p *Plan) error {
	rs := p.Create
	_, err := k.c.API.Create(ctx, schemas.ReplicaSets, rs)
	switch {
	case err == nil:
		k.noteScaled(d, rs.Name, 0, size(rs))
		return nil
	case apierrors.IsAlreadyExists(err):
		return k.collide(ctx, d, rs)
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		p.Create = nil
		return nil
	}
	message := fmt.Sprintf("Failed to create new replica set %q: %v", rs.Name, err)
	status := *d.Status.DeepCopy()
	if hasDeadline(d) {
		setCondition(&status, newCondition(appsv1.DeploymentProgressing, corev1.ConditionFalse, reasonFailedCreate, message, k.c.Now()))
	}
	k.c.Events.Event(d, corev1.EventTypeWarning, reasonFailedCreate, message)
	return errors.Join(fmt.Errorf("create replicaset %s: %w", rs.Name, err), k.conclude(ctx, d, status))
}

func (k *Controller) collide(ctx context.Context, d *appsv1.Deployment, rs *appsv1.ReplicaSet) error {
	if err := k.c.Truth.Refresh(ctx); err != nil {
		return err
	}
	obj, ok := k.c.View.Get(schemas.RefOf(schemas.ReplicaSets, rs))
	if there, isSet := obj.(*appsv1.ReplicaSet); ok && isSet && metav1.IsControlledBy(there, d) && sameTemplate(&there.Spec.Template, &rs.Spec.Template) {
		return nil
	}
	status := *d.Status.DeepCopy()
	n := int32(1)
	if status.CollisionCount != nil {
		n = *status.CollisionCount + 1
	}
	status.CollisionCount = &n
	if err := k.conclude(ctx, d, status); err != nil {
		return err
	}
	return fmt.Errorf("create replicaset %s: %w", rs.Name, errCollision)
}

func (k *Controller) noteScaled(d *appsv1.Deployment, name string, from, to int32) {
	direction := "up"
	switch {
	case from == to:
		return
	case from > to:
		direction = "down"
	}
	k.c.Events.Event(d, corev1.EventTypeNormal, "ScalingReplicaSet", fmt.Sprintf("Scaled %s replica set %s from %d to %d", direction, name, from, to))
}

func (k *Controller) conclude(ctx context.Context, d *appsv1.Deployment, status appsv1.DeploymentStatus) error {
	return k.c.Status.Conclude(ctx, schemas.RefOf(schemas.Deployments, d), d.UID, func(schemas.Object) schemas.Object {
		next := d.DeepCopy()
		next.Status = status
		return next
	})
}

// Empty tells whether p changes anything about d.
func (p *Plan) Empty(d *appsv1.Deployment) bool {
	return p.Create == nil && len(p.Update) == 0 && len(p.Delete) == 0 && p.Revision == "" && sameStatus(p.Status, d.Status)
}
