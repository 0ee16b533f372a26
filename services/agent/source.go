//go:build linux

package agent

import (
	"context"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/schemas/refer"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// source reads ConfigMaps and Secrets from the apiserver, and as last known while
// it cannot be reached. It implements env.Source.
type source struct {
	conn   *bus.Conn
	client *api.Client
	kept   Keep
}

// patience is how long a container's start waits for an apiserver before it takes
// what was last known.
const patience = 500 * time.Millisecond

func newSource(conn *bus.Conn, table *schemas.Table, kept Keep) *source {
	c := api.NewClient(conn, table)
	c.RetryFor = patience
	return &source{conn: conn, client: c, kept: kept}
}

// ConfigMap implements env.Source.
func (s *source) ConfigMap(ctx context.Context, ns schemas.Namespace, name schemas.Name) (*v1.ConfigMap, error) {
	return read(ctx, s, schemas.Ref{Resource: schemas.ConfigMaps, Namespace: ns, Name: name}, &v1.ConfigMap{})
}

// Secret implements env.Source.
func (s *source) Secret(ctx context.Context, ns schemas.Namespace, name schemas.Name) (*v1.Secret, error) {
	return read(ctx, s, schemas.Ref{Resource: schemas.Secrets, Namespace: ns, Name: name}, &v1.Secret{})
}

// RuntimeClass implements pod.Classes.
func (s *source) RuntimeClass(ctx context.Context, name string) (*nodev1.RuntimeClass, error) {
	return read(ctx, s, schemas.Ref{Resource: schemas.RuntimeClasses, Name: schemas.Name(name)}, &nodev1.RuntimeClass{})
}

// read returns the object, nil if there is none. into is what a kept one is read into.
func read[T interface {
	schemas.Object
	comparable
}](ctx context.Context, s *source, ref schemas.Ref, into T) (T, error) {
	var none T
	var err error
	if s.conn.Connected() {
		var obj schemas.Object
		getCtx, cancel := context.WithTimeout(ctx, 4*patience)
		obj, err = s.client.Get(getCtx, ref)
		cancel()
		switch {
		case err == nil:
			typed, ok := obj.(T)
			if !ok {
				return none, fmt.Errorf("the answer is a %T", obj)
			}
			return typed, s.kept.PutObject(ref, typed)
		case apierrors.IsNotFound(err):
			return none, s.kept.DropObject(ref)
		}
	} else {
		err = bus.ErrUnreachable
	}
	found, keptErr := s.kept.Object(ref, into)
	if keptErr != nil || !found {
		return none, err
	}
	return into, nil
}

// used are the objects that the orders' pods refer to, and so are to be kept.
func used(pods []*v1.Pod) map[schemas.Ref]bool {
	out := map[schemas.Ref]bool{}
	for _, p := range pods {
		if name := p.Spec.RuntimeClassName; name != nil {
			out[schemas.Ref{Resource: schemas.RuntimeClasses, Name: schemas.Name(*name)}] = true
		}
		for _, ref := range refer.Objects(p) {
			out[ref] = true
		}
	}
	return out
}

// Pod implements logs.Pods and exec.Pods.
func (a *agent) Pod(k sandbox.Key) *v1.Pod {
	p, _ := a.orders.Order(k)
	return p
}
