package endpointslice

import (
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/controller/cluster"
)

// atOnce is how many slices of a service are written at a time.
const atOnce = 16

// apply carries p out: what is added first, so that no endpoint is nowhere meanwhile.
func apply(ctx context.Context, c *cluster.Cluster, p *Plan) error {
	err := each(p.Create, func(s *discoveryv1.EndpointSlice) error {
		err := c.API.Make(ctx, schemas.EndpointSlices, s)[0]
		if apierrors.IsAlreadyExists(err) {
			// An earlier try got through, or somebody took the name: the next plan sees which.
			return errors.Join(c.Truth.Refresh(ctx), fmt.Errorf("create endpointslice %s: %w", s.Name, err))
		}
		return done("create endpointslice "+s.Name, err)
	})
	err = errors.Join(err, each(p.Update, func(s *discoveryv1.EndpointSlice) error {
		_, err := c.API.Update(ctx, schemas.EndpointSlices, s, "")
		return done("update endpointslice "+s.Name, err)
	}))
	if err != nil {
		return err
	}
	return each(p.Delete, func(s *discoveryv1.EndpointSlice) error {
		uid := s.UID
		err := c.API.Delete(ctx, schemas.RefOf(schemas.EndpointSlices, s), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
		return done("delete endpointslice "+s.Name, err)
	})
}

// done is err, unless the object or its namespace is going: then there is nothing to keep.
func done(what string, err error) error {
	if err == nil || apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// each calls f on all, some at once, and waits.
func each[T any](all []T, f func(T) error) error {
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	for i, v := range all {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			errs[i] = f(v)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
