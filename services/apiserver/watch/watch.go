// Package watch sends the changes of one resource to one client.
//
// It reads a replica and its feed, and writes nothing but to the client. What always
// holds: the client gets every change of what it selects once, in order, from the
// revision it named; if that cannot be, it is told so (410 Gone) and lists again. A
// slow client holds nothing but its cursor.
package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	watchapi "k8s.io/apimachinery/pkg/watch"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/feed"
	"github.com/skerry/skerry/services/apiserver/replica"
	"github.com/skerry/skerry/services/apiserver/selector"
)

// BookmarkEvery is how often a client that allows bookmarks gets one.
const BookmarkEvery = time.Minute

// watcher is one running watch.
type watcher struct {
	replica *replica.Replica
	kind    *schemas.Kind
	request *api.Request
	selects selector.Selector
	emit    func(api.WatchEvent) error
	place   *feed.Place
	sent    store.Revision // everything up to here has been sent
}

// Run serves r until ctx ends, the client is gone or its time is up. k is r's kind.
func Run(ctx context.Context, rep *replica.Replica, k *schemas.Kind, r *api.Request, emit func(api.WatchEvent) error) error {
	s, err := selector.Parse(k.Resource, r.List)
	if err != nil {
		return err
	}
	w := &watcher{replica: rep, kind: k, request: r, selects: s, emit: emit}
	o := r.List
	if o == nil {
		o = &metav1.ListOptions{}
	}
	defer func() {
		if w.place != nil {
			w.place.Close()
		}
	}()
	if err := w.begin(ctx, o); err != nil {
		return err
	}
	return w.follow(ctx, o)
}

// Check refuses what cannot be watched, before the watch begins. k is r's kind.
func Check(k *schemas.Kind, r *api.Request) error {
	if _, err := selector.Parse(k.Resource, r.List); err != nil {
		return err
	}
	if r.List == nil {
		return nil
	}
	if _, err := revision(r.List.ResourceVersion); err != nil {
		return err
	}
	return check(r.List)
}

// follow sends changes as they come.
func (w *watcher) follow(ctx context.Context, o *metav1.ListOptions) error {
	var bookmark, last <-chan time.Time
	if o.AllowWatchBookmarks {
		every := time.NewTicker(BookmarkEvery)
		defer every.Stop()
		bookmark = every.C
		if o.TimeoutSeconds != nil && *o.TimeoutSeconds > 0 {
			last = time.After(beforeEnd(time.Duration(*o.TimeoutSeconds) * time.Second))
		}
	}
	for {
		wake, err := w.send(ctx)
		if err != nil {
			return err
		}
		select {
		case <-wake:
			continue
		case <-bookmark:
		case <-last:
			last = nil
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := w.mark(ctx, nil); err != nil {
			return err
		}
	}
}

// scope is what r can be about at most: only that wakes its watcher.
func scope(r *api.Request) feed.Scope {
	s := feed.Scope{Namespace: r.Namespace, Name: r.Name}
	if r.List == nil || r.List.FieldSelector == "" {
		return s
	}
	f, err := fields.ParseSelector(r.List.FieldSelector)
	if err != nil { // it was parsed before
		return s
	}
	if name, ok := f.RequiresExactMatch("metadata.name"); ok && s.Name == "" {
		s.Name = schemas.Name(name)
	}
	if ns, ok := f.RequiresExactMatch("metadata.namespace"); ok && s.Namespace == "" {
		s.Namespace = schemas.Namespace(ns)
	}
	return s
}

// beforeEnd is when a watch of length d gets its last bookmark.
func beforeEnd(d time.Duration) time.Duration {
	return max(d-2*time.Second, d*3/4)
}

// send sends what the feed has, and returns a channel that closes when there is more.
func (w *watcher) send(ctx context.Context) (<-chan struct{}, error) {
	for {
		// Read before the feed: all changes up to it are in the feed by then.
		reflected := w.replica.Revision()
		entries, wake, err := w.place.Next()
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if err := w.one(e); err != nil {
				return nil, err
			}
			w.sent = max(w.sent, e.Revision)
		}
		if len(entries) == 0 {
			w.sent = max(w.sent, reflected)
			return wake, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// one sends e as it looks through the selector: an object that stops matching is
// deleted for this client, one that starts matching is new.
func (w *watcher) one(e *feed.Entry) error {
	if w.request.Namespace != "" && e.Ref.Namespace != w.request.Namespace {
		return nil
	}
	if w.request.Name != "" && e.Ref.Name != w.request.Name {
		return nil
	}
	before, after := w.matches(e.Before()), w.matches(e.After())
	var what watchapi.EventType
	render := e.JSON
	switch {
	case before && after:
		what = watchapi.Modified
	case after:
		what = watchapi.Added
	case before:
		what, render = watchapi.Deleted, e.LastJSON
	default:
		return nil
	}
	data, err := render()
	if err != nil {
		return fmt.Errorf("encode %s: %w", e.Ref, err)
	}
	return w.emit(api.WatchEvent{Type: string(what), Object: data})
}

func (w *watcher) matches(obj schemas.Object) bool { return obj != nil && w.selects.Matches(obj) }

// mark sends a bookmark: the client may go on from here.
func (w *watcher) mark(ctx context.Context, annotations map[string]string) error {
	if _, err := w.send(ctx); err != nil {
		return err
	}
	type meta struct {
		ResourceVersion string            `json:"resourceVersion"`
		Annotations     map[string]string `json:"annotations,omitempty"`
	}
	data, err := json.Marshal(struct {
		Kind       string `json:"kind"`
		APIVersion string `json:"apiVersion"`
		Metadata   meta   `json:"metadata"`
	}{w.kind.Kind, w.kind.GroupVersion().String(), meta{strconv.FormatUint(uint64(w.sent), 10), annotations}})
	if err != nil {
		return fmt.Errorf("encode bookmark: %w", err)
	}
	return w.emit(api.WatchEvent{Type: string(watchapi.Bookmark), Object: data})
}

// Ended tells whether err is only that the watch is over.
func Ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
