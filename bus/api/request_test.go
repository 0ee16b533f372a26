package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/bustest"
	"github.com/skerry/skerry/schemas"
)

var groupResource = schema.GroupResource{Resource: "configmaps"}

// TestRequestArrivesWhole: every field, and who asks from the subject.
func TestRequestArrivesWhole(t *testing.T) {
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var got Request
	var gotTrace string
	c := served(t, 1, fake{do: func(ctx context.Context, r *Request) (*Reply, error) {
		got, gotTrace = *r, bus.TraceOf(ctx)
		return &Reply{Body: []byte(`{"metadata":{"name":"x"}}`), Warnings: []string{"line\nbreak", "ü"}, Created: true}, nil
	}})
	grace := int64(3)
	want := Request{
		User: "admin", Verb: VerbPatch, Resource: schemas.ConfigMaps, Namespace: "shop", Name: "a.b-c",
		Subresource: "status", Body: []byte("{\"a\":\n1}"), PatchType: types.ApplyPatchType, FieldManager: "m\x7fü\r\n",
		FieldValidation: "Strict", Force: true, DryRun: true, List: &metav1.ListOptions{LabelSelector: "a in (b,c)", Limit: 7},
		Delete: &metav1.DeleteOptions{GracePeriodSeconds: &grace}, Filters: []string{"desired.>"},
	}
	sent := want
	sent.User = "somebody-else"
	reply, err := c.Do(bus.WithTrace(testContext(t), trace), &sent)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if gotTrace != trace {
		t.Errorf("trace %q", gotTrace)
	}
	if !reply.Created || !reflect.DeepEqual(reply.Warnings, []string{"line\nbreak", "ü"}) {
		t.Errorf("got %+v", reply)
	}
}

// TestBodies: both ways, below and beyond one message, on a bus with small ones.
func TestBodies(t *testing.T) {
	ctx := testContext(t)
	b := bustest.Start(t, bustest.MaxPayload(32<<10))
	serve(t, b, 2, fake{do: func(_ context.Context, r *Request) (*Reply, error) {
		switch r.Name {
		case "fail":
			return nil, apierrors.NewConflict(groupResource, "fail", errors.New("moved on"))
		case "double":
			return &Reply{Body: append(r.Body, r.Body...), Warnings: []string{"w"}, Created: true}, nil
		}
		return &Reply{Body: r.Body}, nil
	}})
	c := client(t, b)
	for _, n := range []int{0, 1, 20 << 10, 31 << 10, 32 << 10, 1 << 20, MaxBody} {
		body := bytes.Repeat([]byte("x"), n)
		r := &Request{Verb: VerbUpdate, Resource: schemas.ConfigMaps, Name: "double", Body: body}
		reply, err := c.Do(ctx, r)
		if err != nil || !bytes.Equal(reply.Body, append(body, body...)) || len(reply.Warnings) != 1 || !reply.Created {
			t.Fatalf("%d bytes: got %+v, %v", n, reply, err)
		}
		r.Name = "fail"
		if _, err := c.Do(ctx, r); !apierrors.IsConflict(err) {
			t.Fatalf("%d bytes: got %v", n, err)
		}
	}
	_, err := c.Do(ctx, &Request{Verb: VerbUpdate, Resource: schemas.ConfigMaps, Body: make([]byte, MaxBody+1)})
	if !apierrors.IsRequestEntityTooLargeError(err) {
		t.Fatalf("got %v", err)
	}
}

func TestErrors(t *testing.T) {
	ctx := testContext(t)
	c := served(t, 1, fake{do: func(_ context.Context, r *Request) (*Reply, error) {
		switch r.Name {
		case "status":
			return nil, fmt.Errorf("deep: %w", apierrors.NewNotFound(groupResource, "status"))
		case "plain":
			return nil, errors.New("the disk is on fire")
		case "panic":
			panic("at the disco")
		case "long":
			return nil, apierrors.NewBadRequest(strings.Repeat("x", 2<<20))
		}
		return nil, nil
	}})
	for name, ok := range map[string]func(error) bool{
		"status": apierrors.IsNotFound, "plain": apierrors.IsInternalError,
		"panic": apierrors.IsInternalError, "long": apierrors.IsBadRequest,
		"fine": func(err error) bool { return err == nil },
	} {
		if _, err := c.Do(ctx, about(VerbUpdate, refTo(name))); !ok(err) {
			t.Errorf("%s: got %.200v", name, err)
		}
	}
	if err := c.Delete(ctx, refTo("status"), metav1.DeleteOptions{}); err.Error() != apierrors.NewNotFound(groupResource, "status").Error() {
		t.Errorf("got %v", err)
	}
}

func TestTyped(t *testing.T) {
	ctx := testContext(t)
	c := served(t, 1, fake{do: func(_ context.Context, r *Request) (*Reply, error) {
		switch r.Verb {
		case VerbGet:
			return &Reply{Body: []byte(`{"metadata":{"name":"` + string(r.Name) + `"},"data":{"k":"v"}}`)}, nil
		case VerbHistory:
			b, err := json.Marshal([]Revision{{Number: 1, User: "admin", Object: json.RawMessage(`{"a":1}`)}, {Number: 2, Current: true, Object: json.RawMessage(`{"a":2}`)}})
			return &Reply{Body: b}, err
		}
		return echo(nil, r)
	}})
	obj, err := c.Get(ctx, refTo("a"))
	if cm, ok := obj.(*corev1.ConfigMap); err != nil || !ok || cm.Name != "a" || cm.Data["k"] != "v" || cm.Kind != "ConfigMap" {
		t.Errorf("get: %+v, %v", obj, err)
	}
	in := configMap("b")
	for name, f := range map[string]func() (schemas.Object, error){
		"create": func() (schemas.Object, error) { return c.Create(ctx, schemas.ConfigMaps, in) },
		"update": func() (schemas.Object, error) { return c.Update(ctx, schemas.ConfigMaps, in, "status") },
		"patch": func() (schemas.Object, error) {
			return c.Patch(ctx, refTo("b"), types.MergePatchType, []byte(`{"metadata":{"name":"b"}}`), "")
		},
	} {
		obj, err := f()
		if err != nil || obj.GetName() != "b" || obj.GetObjectKind().GroupVersionKind().Kind != "ConfigMap" {
			t.Errorf("%s: %+v, %v", name, obj, err)
		}
	}
	if in.Kind != "" {
		t.Error("the caller's object was changed")
	}
	revisions, err := c.History(ctx, refTo("b"))
	if err != nil || len(revisions) != 2 || string(revisions[0].Object) != `{"a":1}` || !revisions[1].Current {
		t.Errorf("history: %+v, %v", revisions, err)
	}
	if gvk := c.Kind(in); gvk.Kind != "ConfigMap" {
		t.Errorf("kind %v", gvk)
	}
}

// pager serves a list of n objects in pages. expired makes continue tokens too old.
func pager(n int, expired bool) fake {
	return fake{do: func(_ context.Context, r *Request) (*Reply, error) {
		from := 0
		if r.List.Continue != "" {
			if expired {
				return nil, apierrors.NewResourceExpired("too old")
			}
			_, _ = fmt.Sscan(r.List.Continue, &from)
		}
		to := n
		var meta metav1.ListMeta
		if l := int(r.List.Limit); l > 0 && from+l < n {
			to = from + l
			meta.Continue = fmt.Sprint(to)
		}
		meta.ResourceVersion = "99"
		l := listBody{ListMeta: meta}
		for i := from; i < to; i++ {
			l.Items = append(l.Items, json.RawMessage(fmt.Sprintf(`{"metadata":{"name":"o%d"}}`, i)))
		}
		b, err := json.Marshal(l)
		return &Reply{Body: b}, err
	}}
}

func TestList(t *testing.T) {
	for name, s := range map[string]fake{"pages": pager(1234, false), "expired": pager(1234, true), "empty": pager(0, false)} {
		t.Run(name, func(t *testing.T) {
			objs, version, err := served(t, 1, s).List(testContext(t), schemas.ConfigMaps, "", metav1.ListOptions{})
			if err != nil || version != "99" {
				t.Fatalf("version %q, %v", version, err)
			}
			if want := map[string]int{"pages": 1234, "expired": 1234}[name]; len(objs) != want {
				t.Fatalf("%d objects", len(objs))
			}
			for i, o := range objs {
				if o.GetName() != fmt.Sprintf("o%d", i) {
					t.Fatalf("object %d is %s", i, o.GetName())
				}
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	ctx := testContext(t)
	b := bustest.Start(t)
	c := client(t, b)
	c.RetryFor = 0
	if _, err := c.Get(ctx, refTo("a")); !errors.Is(err, bus.ErrUnreachable) {
		t.Errorf("get: %v", err)
	}
	if _, err := c.Create(ctx, schemas.ConfigMaps, configMap("a")); !errors.Is(err, bus.ErrUnreachable) {
		t.Errorf("create: %v", err)
	}
	big := configMap("a")
	big.Data = map[string]string{"k": strings.Repeat("x", 2<<20)}
	if _, err := c.Create(ctx, schemas.ConfigMaps, big); !errors.Is(err, bus.ErrUnreachable) {
		t.Errorf("create: %v", err)
	}
	if err := c.Watch(ctx, schemas.ConfigMaps, "", metav1.ListOptions{}, nil); !errors.Is(err, bus.ErrUnreachable) {
		t.Errorf("watch: %v", err)
	}
	// A server that comes within RetryFor is waited for.
	c.RetryFor = testTimeout
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := c.Create(ctx, schemas.ConfigMaps, configMap("a")); err != nil {
			t.Error(err)
		}
	})
	serve(t, b, 1, fake{do: echo})
	wg.Wait()
}

// TestLostReply: a read is asked again, a write is not.
func TestLostReply(t *testing.T) {
	ctx := testContext(t)
	b := bustest.Start(t)
	var mu sync.Mutex
	seen := map[Verb]int{}
	serve(t, b, 2, fake{do: func(_ context.Context, r *Request) (*Reply, error) {
		mu.Lock()
		seen[r.Verb]++
		n := seen[r.Verb]
		mu.Unlock()
		if n == 1 {
			b.Kick(t) // the connection breaks before the reply
		}
		return &Reply{Body: []byte(`{}`)}, nil
	}})
	c := client(t, b)
	c.RetryFor = testTimeout
	if _, err := c.Get(ctx, refTo("a")); err != nil {
		t.Errorf("get: %v", err)
	}
	_, err := c.Create(ctx, schemas.ConfigMaps, configMap("a"))
	if !apierrors.IsTimeout(err) || !strings.Contains(err.Error(), "unknown") {
		t.Errorf("create: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if seen[VerbGet] < 2 || seen[VerbCreate] != 1 {
		t.Errorf("seen %v", seen)
	}
}

func TestDeadline(t *testing.T) {
	c := served(t, 1, fake{do: func(ctx context.Context, _ *Request) (*Reply, error) {
		<-ctx.Done() // the client's deadline, though nothing of the client is left
		return nil, ctx.Err()
	}})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := c.Create(ctx, schemas.ConfigMaps, configMap("a"))
	if !apierrors.IsTimeout(err) {
		t.Errorf("got %v", err)
	}
}

// TestPanicInACrowd: what one of many objects does to the service is an error of the request, and the service goes on.
func TestPanicInACrowd(t *testing.T) {
	ctx := testContext(t)
	c := served(t, 1, fake{do: func(ctx context.Context, r *Request) (*Reply, error) {
		briefs, err := Each(ctx, r, func(_ context.Context, one *Request) (*Reply, error) {
			if strings.Contains(string(one.Body), "bad") {
				panic("at the disco")
			}
			return &Reply{Brief: &Brief{Name: "good"}}, nil
		})
		if err != nil {
			return nil, err
		}
		body, err := EncodeBriefs(briefs)
		return &Reply{Body: body}, err
	}})
	object := func(name string) schemas.Object {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	}
	if _, err := c.CreateMany(ctx, schemas.ConfigMaps, "shop", []schemas.Object{object("good"), object("bad")}); !apierrors.IsInternalError(err) {
		t.Errorf("with a bad one: %v", err)
	}
	if briefs, err := c.CreateMany(ctx, schemas.ConfigMaps, "shop", []schemas.Object{object("good"), object("good")}); err != nil || len(briefs) != 2 {
		t.Errorf("afterwards: %+v, %v", briefs, err)
	}
}
