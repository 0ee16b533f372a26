package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/bus/status"
	"github.com/skerry/skerry/schemas"
)

func event(eventType, name string, version int, size int) WatchEvent {
	return WatchEvent{Type: eventType, Object: json.RawMessage(fmt.Sprintf(
		`{"metadata":{"name":%q,"resourceVersion":"%d"},"data":{"k":%q}}`, name, version, strings.Repeat("x", size)))}
}

// errEnough ends a watch from within.
var errEnough = errors.New("enough")

func TestWatch(t *testing.T) {
	ctx := testContext(t)
	sizes := []int{0, 10, 60 << 10, 64 << 10, 1 << 20}
	c := served(t, 1, fake{watch: func(ctx context.Context, r *Request, emit func(WatchEvent) error) error {
		if r.User != "admin" || r.Namespace != "shop" || r.List.ResourceVersion != "7" {
			return apierrors.NewBadRequest(fmt.Sprintf("%+v", r))
		}
		for i, n := range sizes {
			if err := emit(event("ADDED", fmt.Sprint(i), i, n)); err != nil {
				return err
			}
		}
		return nil
	}})
	i := 0
	err := c.Watch(ctx, schemas.ConfigMaps, "shop", metav1.ListOptions{ResourceVersion: "7"}, func(eventType string, obj schemas.Object) error {
		if eventType != "ADDED" || obj.GetName() != fmt.Sprint(i) {
			t.Errorf("event %d: %s %s", i, eventType, obj.GetName())
		}
		i++
		return nil
	})
	if err != nil || i != len(sizes) {
		t.Fatalf("%d events, %v", i, err)
	}
}

func TestWatchEnds(t *testing.T) {
	ctx := testContext(t)
	left := make(chan struct{}, 1)
	gone := apierrors.NewResourceExpired("too old")
	c := served(t, 1, fake{watch: func(ctx context.Context, r *Request, emit func(WatchEvent) error) error {
		switch r.List.FieldSelector {
		case "error":
			return gone
		case "event":
			return emit(WatchEvent{Type: "ERROR", Object: status.Encode(gone)})
		case "panic":
			panic("at the disco")
		}
		for i := 0; ; i++ {
			if err := emit(event("MODIFIED", "a", i, 1000)); err != nil {
				left <- struct{}{}
				return err
			}
		}
	}})
	watch := func(ctx context.Context, o metav1.ListOptions, f func(string, schemas.Object) error) error {
		return c.Watch(ctx, schemas.ConfigMaps, "", o, f)
	}
	for selector, ok := range map[string]func(error) bool{
		"error": apierrors.IsResourceExpired, "event": apierrors.IsResourceExpired, "panic": apierrors.IsInternalError,
	} {
		if err := watch(ctx, metav1.ListOptions{FieldSelector: selector}, nil); !ok(err) {
			t.Errorf("%s: %v", selector, err)
		}
	}
	if err := watch(ctx, metav1.ListOptions{}, func(string, schemas.Object) error { return errEnough }); !errors.Is(err, errEnough) {
		t.Errorf("f fails: %v", err)
	}
	<-left
	inner, cancel := context.WithCancel(ctx)
	if err := watch(inner, metav1.ListOptions{}, func(string, schemas.Object) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("ctx ends: %v", err)
	}
	<-left
	second := int64(1)
	if err := watch(ctx, metav1.ListOptions{TimeoutSeconds: &second}, func(string, schemas.Object) error { return nil }); err != nil {
		t.Errorf("its time is up: %v", err)
	}
	<-left
}

func TestWatchServerStops(t *testing.T) {
	ctx := testContext(t)
	b := bustest.Start(t)
	stop := serve(t, b, 1, fake{watch: func(ctx context.Context, _ *Request, emit func(WatchEvent) error) error {
		if err := emit(event("ADDED", "a", 1, 1)); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}})
	err := client(t, b).Watch(ctx, schemas.ConfigMaps, "", metav1.ListOptions{}, func(string, schemas.Object) error {
		go stop()
		return nil
	})
	if !apierrors.IsServiceUnavailable(err) {
		t.Errorf("got %v", err)
	}
}

// flaky serves lists and watches: the first watch ends cleanly, the second with 410,
// the third loses its connections once arrived is closed, the fourth stays.
func flaky(t *testing.T, b *bustest.Bus, arrived chan struct{}) fake {
	var lists, watches atomic.Int32
	return fake{
		do: func(context.Context, *Request) (*Reply, error) {
			n := lists.Add(1)
			return &Reply{Body: []byte(fmt.Sprintf(`{"metadata":{"resourceVersion":"%d00"},"items":[{"metadata":{"name":"l%d"}}]}`, n, n))}, nil
		},
		watch: func(ctx context.Context, r *Request, emit func(WatchEvent) error) error {
			n := watches.Add(1)
			if !r.List.AllowWatchBookmarks {
				return apierrors.NewBadRequest("no bookmarks asked for")
			}
			if err := emit(event("MODIFIED", "after-"+r.List.ResourceVersion, 0, 1)); err != nil {
				return err
			}
			if err := emit(event("BOOKMARK", "", int(n)*1000, 1)); err != nil {
				return err
			}
			switch n {
			case 1: // a clean end goes on at the bookmark
				<-time.After(1100 * time.Millisecond)
				return nil
			case 2:
				return apierrors.NewResourceExpired("too old")
			case 3: // a broken connection takes nothing with it
				<-arrived
				b.Kick(t)
				if err := emit(event("MODIFIED", "kept", 3000, 1)); err != nil {
					return err
				}
				return apierrors.NewResourceExpired("too old")
			}
			<-ctx.Done()
			return ctx.Err()
		},
	}
}

// TestFollow: list, watch, a clean end, 410, and a broken connection.
func TestFollow(t *testing.T) {
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	b := bustest.Start(t)
	arrived := make(chan struct{})
	serve(t, b, 2, flaky(t, b, arrived))
	c := client(t, b)
	seen := make(chan string, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- Follow(ctx, c, schemas.ConfigMaps, "", metav1.ListOptions{}, Follower{
			Reset:  func(objs []schemas.Object) { seen <- "reset " + objs[0].GetName() },
			Change: func(eventType string, obj schemas.Object) { seen <- eventType + " " + obj.GetName() },
		})
	}()
	for _, want := range []string{
		"reset l1", "MODIFIED after-100", "MODIFIED after-1000",
		"reset l2", "MODIFIED after-200", "MODIFIED kept", "reset l3", "MODIFIED after-300",
	} {
		select {
		case got := <-seen:
			if got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
			if got == "MODIFIED after-200" {
				close(arrived)
			}
		case <-ctx.Done():
			t.Fatalf("waited too long for %q", want)
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
