package registry

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/store"
	"github.com/skerry/skerry/schemas"
	"github.com/skerry/skerry/services/apiserver/replica"
)

// slow is a lister that takes its time.
type slow time.Duration

func (s slow) List(ctx context.Context, _ ...string) ([]store.Entry, store.Revision, error) {
	select {
	case <-time.After(time.Duration(s)):
		return nil, 1, nil
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
}

// TestListsTakeTurns: of many agents that list at once a few do, others after them, and
// those for whom that takes too long are told to come again.
func TestListsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Registry{Keys: slow(time.Second), Lists: semaphore.NewWeighted(2 * mostListed)}
		begun := time.Now()
		errs := make(chan error, 20)
		for range cap(errs) {
			go func() {
				_, err := g.KeysOf(t.Context(), &api.Request{Verb: api.VerbState, Filters: []string{"assigned.n1.>"}})
				errs <- err
			}()
		}
		listed, refused := 0, 0
		for range cap(errs) {
			switch err := <-errs; {
			case err == nil:
				listed++
			case apierrors.IsTooManyRequests(err):
				refused++
			default:
				t.Error(err)
			}
		}
		if listed < 4 || listed > 6 || listed+refused != cap(errs) || time.Since(begun) > listWait+time.Second {
			t.Errorf("%d listed and %d were refused within %s", listed, refused, time.Since(begun))
		}
		if _, err := g.KeysOf(t.Context(), &api.Request{Verb: api.VerbState}); err != nil {
			t.Errorf("once it is quiet: %v", err)
		}
	})
}

// TestListsOfNewNodes: thousands of nodes that come at once have nothing to list, and wait for nobody.
func TestListsOfNewNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pods := map[schemas.NodeName]int{"full": 1000, "half": mostListed/2 - 1}
		g := &Registry{Keys: slow(time.Second), Lists: semaphore.NewWeighted(2 * mostListed), PodsOn: func(n schemas.NodeName) int { return pods[n] }}
		for node, atOnce := range map[schemas.NodeName]int{"full": 2, "half": 4, "new": 2 * mostListed} {
			begun, done := time.Now(), make(chan error, 4*mostListed)
			for range 2 * atOnce {
				go func() {
					_, err := g.KeysOf(t.Context(), &api.Request{Verb: api.VerbState, User: bus.NodeUser(node)})
					done <- err
				}()
			}
			for i := range 2 * atOnce {
				if err := <-done; err != nil {
					t.Errorf("node %s: %v", node, err)
				}
				if took := time.Since(begun); took != time.Duration(1+i/atOnce)*time.Second {
					t.Errorf("node %s: list %d after %s, want %d at once", node, i, took, atOnce)
				}
			}
		}
	})
}

// bucket is a lister that can be asked.
type bucket struct {
	slow
	asked int
}

func (b *bucket) Newer(context.Context, store.Revision, ...string) (newer, last store.Revision, err error) {
	b.asked++
	return 0, 50, nil
}

// upToDate is a copy that has everything.
type upToDate struct{ replica.Copy }

func (upToDate) Reach(context.Context) (store.Revision, error) { return 50, nil }
func (upToDate) WaitFor(context.Context, store.Revision) error { return nil }

// TestNewer: what an agent asks of its work orders the copy tells, of one that is gone and whose mark is, too.
// The bucket is asked what the copy does not know, and of other keys.
func TestNewer(t *testing.T) {
	keys := &bucket{}
	g := &Registry{
		Keys:  keys,
		State: Backend{Replica: &replica.Replica{Copy: upToDate{}}},
		Touched: func(node schemas.NodeName, since store.Revision) (newer, last store.Revision, ok bool) {
			return 42, 50, node == "n1" && since >= 10
		},
	}
	own := []string{bus.AssignedFilter("n1"), bus.OwnNodeFilter("n1")}
	for name, tt := range map[string]struct {
		user    bus.User
		since   store.Revision
		filters []string
		newer   store.Revision
		asked   int
	}{
		"work orders":           {bus.NodeUser("n1"), 40, own, 42, 0},
		"before the copy began": {bus.NodeUser("n1"), 9, own, 0, 1},
		"statuses too":          {bus.NodeUser("n1"), 40, append(slices.Clip(own), bus.ObservedFilter("n1")), 0, 1},
		"another's":             {bus.NodeUser("n2"), 40, own, 0, 1},
		"somebody else":         {"admin", 40, own, 0, 1},
	} {
		keys.asked = 0
		reply, err := g.KeysOf(t.Context(), &api.Request{Verb: api.VerbState, User: tt.user, Since: tt.since, Filters: tt.filters})
		if err != nil {
			t.Fatal(err)
		}
		want, err := api.EncodeNewer(tt.newer, 50)
		if err != nil {
			t.Fatal(err)
		}
		if string(reply.Body) != string(want) || keys.asked != tt.asked {
			t.Errorf("%s: %s, and the bucket was asked %d times", name, reply.Body, keys.asked)
		}
	}
}
