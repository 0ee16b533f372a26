package api

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/skerry/skerry/bus/pause"
	"github.com/skerry/skerry/schemas"
)

const (
	minFollowDelay = 100 * time.Millisecond
	maxFollowDelay = 10 * time.Second
)

// Follower is told what Follow sees, from one goroutine.
type Follower struct {
	// Reset gets everything there is: at first, and whenever changes may have
	// been missed.
	Reset func(objs []schemas.Object)
	// Change gets ADDED, MODIFIED and DELETED.
	Change func(eventType string, obj schemas.Object)
}

// Follow keeps h informed of the objects that o selects until ctx ends, whose
// error it returns. It lists, watches from there, and lists again with back-off
// after every failure. o.ResourceVersion is ignored.
func Follow(ctx context.Context, c *Client, r schemas.Resource, ns schemas.Namespace, o metav1.ListOptions, h Follower) error {
	delay := minFollowDelay
	for {
		start := time.Now()
		err := followOnce(ctx, c, r, ns, o, h)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(start) > maxFollowDelay {
			delay = minFollowDelay // it did work in between
		}
		c.conn.Log.Warn("following stopped, listing again", "resource", r.String(), "error", err, "delay", delay)
		if err := pause.About(ctx, delay); err != nil {
			return err
		}
		delay = min(2*delay, maxFollowDelay)
	}
}

// followOnce lists, then watches until that fails. A watch that the server ends
// goes on where it was.
func followOnce(ctx context.Context, c *Client, r schemas.Resource, ns schemas.Namespace, o metav1.ListOptions, h Follower) error {
	o.ResourceVersion, o.ResourceVersionMatch, o.Continue = "", "", ""
	list := o
	list.TimeoutSeconds, list.AllowWatchBookmarks = nil, false
	objs, version, err := c.List(ctx, r, ns, list)
	if err != nil {
		return err
	}
	h.Reset(objs)
	o.Limit, o.AllowWatchBookmarks = 0, true
	for {
		o.ResourceVersion = version
		start := time.Now()
		err := c.Watch(ctx, r, ns, o, func(eventType string, obj schemas.Object) error {
			if v := obj.GetResourceVersion(); v != "" {
				version = v
			}
			if eventType != string(watch.Bookmark) {
				h.Change(eventType, obj)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if time.Since(start) < time.Second {
			// A server that ends watches at once must not be asked in a tight loop.
			return errors.New("the watch ended at once")
		}
	}
}
