package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	watchapi "k8s.io/apimachinery/pkg/watch"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
)

// begin sets the cursor, and sends what is there already if o asks for it: without a
// resourceVersion, or with sendInitialEvents.
func (w *Watcher) begin(ctx context.Context) error {
	o := w.options
	initial := o.SendInitialEvents != nil && *o.SendInitialEvents
	none := o.ResourceVersion == "" || o.ResourceVersion == "0"
	if o.ResourceVersion == "" {
		if err := w.replica.Fresh(ctx); err != nil {
			return err
		}
	}
	rev, err := revision(o.ResourceVersion)
	if err != nil {
		return err
	}
	if rev > 0 {
		if err := w.replica.Until(ctx, rev); err != nil {
			return err
		}
	}
	switch {
	case initial || none && o.SendInitialEvents == nil:
		return w.beginWithList(ctx, initial)
	case none:
		return w.from(w.replica.Revision())
	}
	return w.from(rev)
}

// from goes on behind rev.
func (w *Watcher) from(rev store.Revision) error {
	f := w.replica.Hub.Feed(w.kind.Resource)
	c, err := f.After(rev)
	if err != nil {
		return err
	}
	w.place, w.sent = f.Open(scope(w.request), c), rev
	return nil
}

// beginWithList sends everything as ADDED, then goes on from that moment.
func (w *Watcher) beginWithList(ctx context.Context, mark bool) error {
	objs, rev, err := w.replica.Now(w.kind.Resource, w.request.Namespace)
	if err != nil {
		return err
	}
	// The cursor first: sending may take longer than the feed remembers.
	if err := w.from(rev); err != nil {
		return err
	}
	for _, obj := range objs {
		if w.request.Name != "" && obj.GetName() != string(w.request.Name) || !w.matches(obj) {
			continue
		}
		data, err := json.Marshal(obj)
		if err != nil {
			return fmt.Errorf("encode %s: %w", schemas.RefOf(w.kind.Resource, obj), err)
		}
		if err := w.emit(api.WatchEvent{Type: string(watchapi.Added), Object: data}); err != nil {
			return err
		}
	}
	if !mark {
		return nil
	}
	return w.mark(ctx, map[string]string{metav1.InitialEventsAnnotationKey: "true"})
}

func revision(rv string) (store.Revision, error) {
	if rv == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(rv, 10, 64)
	if err != nil {
		return 0, apierrors.NewBadRequest("invalid resource version " + strconv.Quote(rv))
	}
	return store.Revision(n), nil
}

// check refuses combinations that Kubernetes refuses.
func check(o *metav1.ListOptions) error {
	switch {
	case o.Continue != "" || o.Limit != 0 && o.SendInitialEvents != nil:
		return apierrors.NewBadRequest("limit and continue are forbidden for a watch")
	case o.SendInitialEvents != nil && o.ResourceVersionMatch != metav1.ResourceVersionMatchNotOlderThan:
		return apierrors.NewBadRequest("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
	case o.SendInitialEvents == nil && o.ResourceVersionMatch != "":
		return apierrors.NewBadRequest("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
	case o.SendInitialEvents != nil && *o.SendInitialEvents && !o.AllowWatchBookmarks:
		return apierrors.NewBadRequest("sendInitialEvents requires allowWatchBookmarks")
	}
	return nil
}
