// Package replica makes a live copy answer as if it were the only one: reads are as
// new as the newest acknowledged write, and a list can show an earlier moment.
//
// It only reads. What always holds: what Fresh let through sees every write that was
// acknowledged, on whichever apiserver, before the read's request came in.
package replica

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/feed"
)

// futureWait is how long a read waits for a revision that is not there yet.
const futureWait = 3 * time.Second

// Copy is a live copy of a bucket. *view.View is one.
type Copy interface {
	Get(ref schemas.Ref) (schemas.Object, bool)
	List(r schemas.Resource, ns schemas.Namespace) []schemas.Object
	Revision() store.Revision
	WaitFor(ctx context.Context, rev store.Revision) error
	// Reach returns the revision to wait for to have everything that was acknowledged before
	// the request came in.
	Reach(ctx context.Context) (store.Revision, error)
}

// Replica reads a copy. Safe for concurrent use.
type Replica struct {
	Copy
	// Settle returns once the feeds have what the copy has.
	Settle func()
	Hub    *feed.Hub

	recent recent
}

// Fresh waits until the copy reflects every write that was acknowledged before the
// request came in that is being answered.
func (r *Replica) Fresh(ctx context.Context) error {
	rev, err := r.Reach(ctx)
	if err != nil {
		return apierrors.NewServiceUnavailable(fmt.Sprintf("the state cannot be read: %v", err))
	}
	if err := r.WaitFor(ctx, rev); err != nil {
		return apierrors.NewTimeoutError(fmt.Sprintf("the state is not up to date: %v", err), 1)
	}
	return nil
}

// Until waits for rev, which a client named; not for long, since it may never come.
func (r *Replica) Until(ctx context.Context, rev store.Revision) error {
	ctx, cancel := context.WithTimeout(ctx, futureWait)
	defer cancel()
	if r.WaitFor(ctx, rev) == nil {
		return nil
	}
	err := apierrors.NewTimeoutError(fmt.Sprintf("Too large resource version: %d, current: %d", rev, r.Revision()), 1)
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{
		Type:    metav1.CauseTypeResourceVersionTooLarge,
		Message: "Too large resource version",
	}}
	return err
}

// At lists what there was at rev, or fails with 410 Gone.
func (r *Replica) At(res schemas.Resource, ns schemas.Namespace, rev store.Revision) ([]schemas.Object, error) {
	k := moment{res, ns, rev}
	if objs, ok := r.recent.get(k); ok {
		return objs, nil
	}
	now := r.List(res, ns)
	r.Settle()
	objs, err := r.Hub.Feed(res).At(rev, ns, now)
	if err == nil && len(objs) >= largeList {
		r.recent.put(k, objs)
	}
	return objs, err
}

// Now lists what there is, and the revision it is of.
func (r *Replica) Now(res schemas.Resource, ns schemas.Namespace) ([]schemas.Object, store.Revision, error) {
	rev := r.Revision()
	objs, err := r.At(res, ns, rev)
	return objs, rev, err
}
