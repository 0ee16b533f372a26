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

// Watcher is one running watch. It implements api.Source.
type Watcher struct {
	replica *replica.Replica
	kind    *schemas.Kind
	request *api.Request
	options *metav1.ListOptions
	selects selector.Selector
	place   *feed.Place
	sent    store.Revision // everything up to here has been sent
	// When the next bookmark is due, and the one shortly before the end; zero: never.
	bookmark, last time.Time

	served func(*schemas.Kind) bool
	emit   func(api.WatchEvent) error // of the Next that runs
}

// Open begins the watch r, or says why it may not be. k is r's kind; the watch ends when it is not
// served any more, and the feed too.
func Open(rep *replica.Replica, k *schemas.Kind, served func(*schemas.Kind) bool, r *api.Request) (*Watcher, error) {
	s, err := selector.Parse(k, r.List)
	if err != nil {
		return nil, err
	}
	o := r.List
	if o == nil {
		o = &metav1.ListOptions{}
	}
	if _, err := revision(o.ResourceVersion); err != nil {
		return nil, err
	}
	if err := check(o); err != nil {
		return nil, err
	}
	return &Watcher{replica: rep, kind: k, request: r, options: o, selects: s, served: served}, nil
}

// Close implements api.Source.
func (w *Watcher) Close() {
	if w.place != nil {
		w.place.Close()
	}
}

// Next implements api.Source: it sends what has changed since the last time.
func (w *Watcher) Next(ctx context.Context, emit func(api.WatchEvent) error) (api.Pause, error) {
	w.emit = emit
	if w.place == nil {
		if err := w.begin(ctx); err != nil {
			return api.Pause{}, err
		}
		// Who opens a place before the feed ends hears of that, who opens it after finds it here.
		if !w.served(w.kind) {
			return api.Pause{}, nil
		}
		w.schedule(time.Now())
	} else if w.due(time.Now()) {
		if err := w.mark(ctx, nil); err != nil && !errors.Is(err, feed.ErrEnded) {
			return api.Pause{}, err
		}
	}
	wake, err := w.send(ctx)
	if errors.Is(err, feed.ErrEnded) {
		return api.Pause{}, nil
	}
	return api.Pause{Wake: wake, Until: w.until()}, err
}

// schedule says when there are bookmarks, if the client allows them.
func (w *Watcher) schedule(now time.Time) {
	if !w.options.AllowWatchBookmarks {
		return
	}
	w.bookmark = now.Add(BookmarkEvery)
	if s := w.options.TimeoutSeconds; s != nil && *s > 0 {
		w.last = now.Add(beforeEnd(time.Duration(*s) * time.Second))
	}
}

// due tells whether it is time for a bookmark, and until when it is not again.
func (w *Watcher) due(now time.Time) bool {
	is := false
	if !w.bookmark.IsZero() && !now.Before(w.bookmark) {
		is, w.bookmark = true, now.Add(BookmarkEvery)
	}
	if !w.last.IsZero() && !now.Before(w.last) {
		is, w.last = true, time.Time{}
	}
	return is
}

// until is when the next bookmark is due.
func (w *Watcher) until() time.Time {
	if !w.last.IsZero() && w.last.Before(w.bookmark) {
		return w.last
	}
	return w.bookmark
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
func (w *Watcher) send(ctx context.Context) (<-chan struct{}, error) {
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
func (w *Watcher) one(e *feed.Entry) error {
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

func (w *Watcher) matches(obj schemas.Object) bool { return obj != nil && w.selects.Matches(obj) }

// mark sends a bookmark: the client may go on from here.
func (w *Watcher) mark(ctx context.Context, annotations map[string]string) error {
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
