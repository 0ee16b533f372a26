package api

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/schemas"
)

// TestGather: what comes at once goes in as few requests as it fits into, two of which may be
// under way, and each caller gets its own answer.
func TestGather(t *testing.T) {
	const n = 2*MaxMany + 200
	var mu sync.Mutex
	requests, under, most := 0, 0, 0
	both := make(chan struct{})
	c := served(t, 8, fake{do: func(ctx context.Context, r *Request) (*Reply, error) {
		mu.Lock()
		requests++
		under++
		most = max(most, under)
		if under == abreast && requests == abreast {
			close(both)
		}
		mu.Unlock()
		defer func() { mu.Lock(); under--; mu.Unlock() }()
		select {
		case <-both: // the first two meet here
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		briefs, err := Each(ctx, r, func(_ context.Context, one *Request) (*Reply, error) {
			obj, err := decodeObject(table(), one.Resource, one.Body)
			if err != nil {
				return nil, err
			}
			if obj.GetName() == "c7" {
				return nil, apierrors.NewBadRequest("not this one")
			}
			return &Reply{Brief: &Brief{Name: schemas.Name(obj.GetName())}}, nil
		})
		if err != nil {
			return nil, err
		}
		body, err := EncodeBriefs(briefs)
		return &Reply{Body: body}, err
	}})
	objs := make([]schemas.Object, n)
	for i := range objs {
		objs[i] = configMap(fmt.Sprint("c", i))
	}
	briefs, errs := NewGatherer(c).Create(testContext(t), schemas.ConfigMaps, objs...)
	for i, b := range briefs {
		if want := fmt.Sprint("c", i); i != 7 && (errs[i] != nil || string(b.Name) != want) {
			t.Fatalf("%s: got %q, %v", want, b.Name, errs[i])
		}
	}
	if !apierrors.IsBadRequest(errs[7]) {
		t.Errorf("one that is refused: %v", errs[7])
	}
	if requests != 3 || most != abreast {
		t.Errorf("%d requests, %d at once", requests, most)
	}
}

// TestGatherLingers: a first request waits for those that follow at once.
func TestGatherLingers(t *testing.T) {
	var requests atomic.Int32
	c := served(t, 8, fake{do: func(_ context.Context, r *Request) (*Reply, error) {
		requests.Add(1)
		briefs, err := Each(testContext(t), r, func(context.Context, *Request) (*Reply, error) { return &Reply{Brief: &Brief{}}, nil })
		if err != nil {
			return nil, err
		}
		body, err := EncodeBriefs(briefs)
		return &Reply{Body: body}, err
	}})
	g := NewGatherer(c)
	g.Linger = time.Second
	var all sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		all.Go(func() {
			if _, errs := g.Create(testContext(t), schemas.ConfigMaps, configMap(name)); errs[0] != nil {
				t.Errorf("%s: %v", name, errs[0])
			}
		})
	}
	all.Wait()
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// TestGatherEnds: who waits no longer is taken out, and a lane in which nobody waits is none.
func TestGatherEnds(t *testing.T) {
	begun := make(chan struct{})
	c := served(t, 8, fake{do: func(ctx context.Context, r *Request) (*Reply, error) {
		close(begun) // twice is a panic
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	g := NewGatherer(c)
	first, cancel := context.WithCancel(testContext(t))
	done := make(chan error, 1)
	go func() {
		_, errs := g.Create(first, schemas.ConfigMaps, configMap("a"))
		done <- errs[0]
	}()
	<-begun
	late, stop := context.WithCancel(testContext(t))
	stop()
	if _, errs := g.Create(late, schemas.ConfigMaps, configMap("b"), configMap("c")); !errors.Is(errs[0], context.Canceled) || !errors.Is(errs[1], context.Canceled) {
		t.Errorf("those that were not sent: %v", errs)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the one that was: %v", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for l, c := range g.lanes {
		if len(c.waiting) > 0 {
			t.Errorf("%d wait in %v", len(c.waiting), l)
		}
	}
}
