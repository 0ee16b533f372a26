package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/admit"
	"github.com/skerry/skerry/services/apiserver/token"
)

// bootstrap creates what every cluster has. It is tried until it works: the bus may
// be away, and another apiserver may be doing the same.
func (s *server) bootstrap(ctx context.Context) error {
	type item struct {
		resource schemas.Resource
		obj      schemas.Object
	}
	var items []item
	for _, name := range admit.BuiltInNamespaces() {
		items = append(items, item{schemas.Namespaces, &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}})
	}
	for _, class := range admit.SystemPriorityClasses() {
		items = append(items, item{schemas.PriorityClasses, class})
	}
	if _, exists := s.view.Get(token.KeysRef); !exists {
		keys, err := token.NewKeys()
		if err != nil {
			return err
		}
		items = append(items, item{schemas.Secrets, keys})
	}
	for _, i := range items {
		k := s.Table.ByResource(i.resource)
		ref := schemas.RefOf(i.resource, i.obj)
		if _, exists := s.view.Get(ref); exists || k == nil {
			continue
		}
		for {
			err := s.make(ctx, k, ref, i.obj)
			if err == nil || apierrors.IsAlreadyExists(err) {
				break
			}
			s.Log.Warn("create what every cluster has", "object", ref.String(), "error", err)
			if err := pause.For(ctx, time.Second); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *server) make(ctx context.Context, k *schemas.Kind, ref schemas.Ref, obj schemas.Object) error {
	body, err := json.Marshal(obj)
	if err != nil {
		return fmt.Errorf("encode %s: %w", ref, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err = s.registry.Do(ctx, &api.Request{User: s.conn.User, Verb: api.VerbCreate, Resource: ref.Resource, Namespace: ref.Namespace, Body: body}, k)
	var known apierrors.APIStatus
	if errors.As(err, &known) && apierrors.IsInvalid(err) {
		return fmt.Errorf("create %s: %w", ref, err)
	}
	return err
}
