package feed

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/bus/view"
	"github.com/skerry/skerry/schemas"
)

func cm(name string, rev int) schemas.Object {
	return &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, ResourceVersion: strconv.Itoa(rev)}}
}

func change(t view.ChangeType, now, old schemas.Object, rev int) view.Change {
	obj := now
	if obj == nil {
		obj = old
	}
	return view.Change{Type: t, Ref: schemas.RefOf(schemas.ConfigMaps, obj), Object: obj, Old: old, Revision: store.Revision(rev)}
}

func names(objs []schemas.Object) string {
	s := ""
	for _, o := range objs {
		s += o.GetName() + o.GetResourceVersion() + " "
	}
	return s
}

func hub(clock *time.Time) *Hub {
	h := NewHub(func() time.Time { return *clock })
	h.Handle(change(view.Added, cm("a", 1), nil, 1))
	h.Handle(change(view.Added, cm("b", 2), nil, 2))
	h.Start(3)
	return h
}

func TestAtRestoresEarlierLists(t *testing.T) {
	clock := time.Unix(0, 0)
	h := hub(&clock)
	h.Handle(change(view.Modified, cm("a", 5), cm("a", 1), 5))
	h.Handle(change(view.Added, cm("c", 6), nil, 6))
	h.Handle(change(view.Deleted, nil, cm("b", 2), 7))
	h.Handle(change(view.Modified, cm("a", 8), cm("a", 5), 8))
	now := []schemas.Object{cm("a", 8), cm("c", 6)}
	for rev, want := range map[store.Revision]string{3: "a1 b2 ", 5: "a5 b2 ", 6: "a5 b2 c6 ", 7: "a5 c6 ", 8: "a8 c6 ", 9: "a8 c6 "} {
		got, err := h.Feed(schemas.ConfigMaps).At(rev, "", now)
		if err != nil || names(got) != want {
			t.Errorf("at %d: %q, %v; want %q", rev, names(got), err, want)
		}
	}
	if got, err := h.Feed(schemas.ConfigMaps).At(3, "other", nil); err != nil || len(got) != 0 {
		t.Errorf("another namespace: %v, %v", got, err)
	}
	if _, err := h.Feed(schemas.ConfigMaps).At(2, "", now); !apierrors.IsResourceExpired(err) {
		t.Errorf("before the start: %v", err)
	}
}

func TestCursor(t *testing.T) {
	clock := time.Unix(0, 0)
	h := hub(&clock)
	f := h.Feed(schemas.ConfigMaps)
	c, err := f.After(3)
	if err != nil {
		t.Fatal(err)
	}
	p := f.Open(Scope{}, c)
	defer p.Close()
	got, wake, err := p.Next()
	if err != nil || len(got) != 0 {
		t.Fatalf("got %v, %v", got, err)
	}
	h.Handle(change(view.Added, cm("c", 6), nil, 6))
	<-wake
	if got, _, err = p.Next(); err != nil || len(got) != 1 || got[0].Revision != 6 {
		t.Fatalf("got %v, %v", got, err)
	}
	// Learned late: it counts as of the last revision.
	h.Handle(change(view.Deleted, nil, cm("b", 2), 4))
	if got, _, err = p.Next(); err != nil || len(got) != 1 || got[0].Revision != 6 || got[0].After() != nil {
		t.Fatalf("got %v, %v", got, err)
	}
	if data, err := got[0].LastJSON(); err != nil || string(data) != `{"metadata":{"name":"b","namespace":"ns","resourceVersion":"6"}}` {
		t.Errorf("%s, %v", data, err)
	}
}

func TestForgets(t *testing.T) {
	clock := time.Unix(0, 0)
	h := hub(&clock)
	f := h.Feed(schemas.ConfigMaps)
	at, _ := f.After(3)
	slow, other := f.Open(Scope{}, at), f.Open(Scope{Name: "x"}, at)
	defer slow.Close()
	defer other.Close()
	for i := range 2 * minEntries {
		clock = clock.Add(time.Second)
		h.Handle(change(view.Added, cm(fmt.Sprint(i), i+10), nil, i+10))
	}
	if len(f.entries) != minEntries {
		t.Errorf("%d entries are kept, want %d", len(f.entries), minEntries)
	}
	if _, err := f.After(10); !apierrors.IsResourceExpired(err) {
		t.Errorf("a forgotten revision: %v", err)
	}
	if _, _, err := slow.Next(); !apierrors.IsResourceExpired(err) {
		t.Errorf("a slow watcher: %v", err)
	}
	late := f.Open(Scope{Name: "y"}, at)
	defer late.Close()
	if _, _, err := late.Next(); !apierrors.IsResourceExpired(err) {
		t.Errorf("a watcher that comes late: %v", err)
	}
	if got, _, err := other.Next(); err != nil || len(got) == 0 {
		t.Errorf("a watcher of another name: %v", err)
	}
	if _, err := f.After(store.Revision(2*minEntries + 5)); err != nil {
		t.Errorf("a kept revision: %v", err)
	}
	for i := range 2 * maxEntries {
		h.Handle(change(view.Added, cm("x", i+10000), nil, i+10000))
	}
	if len(f.entries) > maxEntries {
		t.Errorf("%d entries are kept, want at most %d", len(f.entries), maxEntries)
	}
	if _, _, err := other.Next(); !apierrors.IsResourceExpired(err) {
		t.Errorf("the watcher of that name, once its own changes are forgotten: %v", err)
	}
	events := h.Feed(schemas.Events)
	for i := range 2 * maxEvents {
		c := change(view.Added, cm("x", i+100000), nil, i+100000)
		c.Ref.Resource = schemas.Events
		h.Handle(c)
	}
	if n := len(events.entries); n != maxEvents {
		t.Errorf("%d events are kept, want %d", n, maxEvents)
	}
}

// TestScopes: a watcher is woken by what it wants to hear of, and by nothing else.
func TestScopes(t *testing.T) {
	clock := time.Unix(0, 0)
	h := hub(&clock)
	f := h.Feed(schemas.ConfigMaps)
	c, err := f.After(3)
	if err != nil {
		t.Fatal(err)
	}
	for s, want := range map[Scope]bool{
		{}: true, {Namespace: "ns"}: true, {Name: "c"}: true, {"ns", "c"}: true,
		{Namespace: "other"}: false, {Name: "a"}: false, {"ns", "a"}: false, {"other", "c"}: false,
	} {
		p := f.Open(s, c)
		_, wake, err := p.Next()
		for err == nil {
			var got []*Entry
			if got, wake, err = p.Next(); len(got) == 0 {
				break
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		h.Handle(change(view.Modified, cm("c", 6), cm("c", 5), 6))
		woken := false
		select {
		case <-wake:
			woken = true
		default:
		}
		if woken != want {
			t.Errorf("%+v: woken %v, want %v", s, woken, want)
		}
		p.Close()
	}
	if len(f.topics) != 0 {
		t.Errorf("%d topics are kept for nobody", len(f.topics))
	}
}
