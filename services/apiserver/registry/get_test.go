package registry

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skerry/skerry/bus/api"
	"github.com/skerry/skerry/bus/store"
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
		g := &Registry{Keys: slow(time.Second), Lists: semaphore.NewWeighted(2)}
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
