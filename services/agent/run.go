//go:build linux

package agent

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/skerry/skerry/bus"
	"github.com/skerry/skerry/schemas/share"
	"github.com/skerry/skerry/services/agent/image"
	"github.com/skerry/skerry/services/agent/node"
	"github.com/skerry/skerry/services/agent/pod"
	"github.com/skerry/skerry/services/agent/sandbox"
)

// runPods looks at what there is, then keeps it as ordered until ctx ends.
func (a *agent) runPods(ctx context.Context) error {
	a.restore(ctx)
	if err := a.firstLook(ctx); err != nil {
		return err
	}
	a.node.Nudge()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.pods.Run(ctx) })
	g.Go(func() error { return a.keepVolumes(ctx) })
	g.Go(func() error { return a.watchOrders(ctx) })
	g.Go(func() error { return a.watchRuntime(ctx) })
	g.Go(func() error { return a.resync(ctx) })
	g.Go(func() error { return a.houseKeep(ctx) })
	g.Go(func() error { return a.watchPressure(ctx) })
	return g.Wait()
}

// restore takes in what an agent before this one knew: work orders and statuses
// from disk, which are never older than the bus's, and what the bus has beside them.
func (a *agent) restore(ctx context.Context) {
	posted := map[sandbox.Key]*v1.Pod{}
	syncCtx, cancel := context.WithTimeout(ctx, 2*time.Second)
	entries, err := a.poster.Sync(syncCtx)
	cancel()
	if a.restored = err == nil; !a.restored {
		a.Log.Info("start with what is kept on disk: the bus does not answer yet", "error", err)
	}
	for _, e := range entries {
		p := &v1.Pod{}
		if k, err := bus.ParseStateKey(e.Key); err != nil || k.Ref.Namespace == "" || json.Unmarshal(e.Value, p) != nil {
			continue
		}
		posted[pod.KeyOf(p)] = p
		a.pods.Restore(p, true)
	}
	kept, err := a.kept.Orders()
	if err != nil {
		a.Log.Error("read kept work orders", "error", err)
	}
	for _, p := range kept {
		was := posted[pod.KeyOf(p)]
		same := was != nil && was.UID == p.UID && equality.Semantic.DeepEqual(was.Status, p.Status)
		a.pods.Restore(p, same)
		a.orders.keep(p)
		a.volumes.Ordered(p)
	}
}

// keep takes in an order from disk.
func (o *orders) keep(p *v1.Pod) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.byKey[pod.KeyOf(p)] = share.Slim(p)
}

// firstLook waits for the runtime and looks at all that runs there.
func (a *agent) firstLook(ctx context.Context) error {
	delay := 50 * time.Millisecond
	for {
		err := errors.Join(a.network.Adopt(ctx), a.pods.Resync(ctx, a.orders.keys()))
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.Log.Warn("wait for podman", "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(delay/2 + rand.N(delay)):
		}
		delay = min(2*delay, 5*time.Second)
	}
}

// watchRuntime follows the runtime's events, with back-off when they break off.
func (a *agent) watchRuntime(ctx context.Context) error {
	delay := 100 * time.Millisecond
	for {
		err := a.driver.Changes(ctx, func() {
			delay = 100 * time.Millisecond
			a.node.Nudge()
			// What happened while nobody listened.
			if err := a.pods.Resync(ctx, a.orders.keys()); err != nil {
				a.Log.Warn("look at all pods", "error", err)
			}
			a.addAll() // and what failed while it was away
		}, func(c sandbox.Change) { a.pods.Add(c.Key) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.Log.Warn("podman's event stream broke off", "error", err, "again", delay)
		a.node.Nudge()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(delay/2 + rand.N(delay)):
		}
		delay = min(2*delay, 5*time.Second)
	}
}

// resync looks at everything from time to time: events can be lost.
func (a *agent) resync(ctx context.Context) error {
	for {
		jitter := rand.N(a.ResyncInterval/5) - a.ResyncInterval/10
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(a.ResyncInterval + jitter):
		}
		if err := a.pods.Resync(ctx, a.orders.keys()); err != nil && ctx.Err() == nil {
			a.Log.Warn("look at all pods", "error", err)
		}
	}
}

// keepEvery is how often unused images and kept objects are looked at.
const keepEvery = time.Minute

// houseKeep removes what nothing needs any more.
func (a *agent) houseKeep(ctx context.Context) error {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := a.kept.Sweep(used(a.orders.samples())); err != nil {
			a.Log.Warn("sweep kept objects", "error", err)
		}
		if err := a.sweepVolumes(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn("sweep volumes", "error", err)
		}
		if err := a.pods.SweepMessages(); err != nil {
			a.Log.Warn("sweep termination messages", "error", err)
		}
		if err := a.sweepNames(); err != nil {
			a.Log.Warn("sweep files of pods", "error", err)
		}
		if err := a.collectImages(ctx, image.DefaultThresholds); err != nil && ctx.Err() == nil {
			a.Log.Warn("collect unused images", "error", err)
		}
	}
}

// imageUse is when each image was last in use.
type imageUse struct {
	mu   sync.Mutex // one collection at a time
	last map[string]time.Time
}

// collectImages removes unused images while the disk is fuller than t says.
func (a *agent) collectImages(ctx context.Context, t image.Thresholds) error {
	a.images.mu.Lock()
	defer a.images.mu.Unlock()
	if a.images.last == nil {
		a.images.last = map[string]time.Time{}
	}
	root := a.node.GraphRoot()
	if root == "" {
		return nil
	}
	disk, err := node.Disk(root)
	if err != nil {
		return err
	}
	images, err := a.driver.Images(ctx)
	if err != nil {
		return err
	}
	running, err := a.driver.Pods(ctx)
	if err != nil {
		return err
	}
	inUse := image.Used(a.orders.all(), running)
	image.Note(a.images.last, images, inUse, time.Now())
	var errs []error
	for _, i := range image.Excess(images, inUse, a.images.last, disk, t, time.Now()) {
		a.Log.Info("remove unused image", "id", i.ID, "names", i.Names, "bytes", i.Size)
		errs = append(errs, a.driver.RemoveImage(ctx, i.ID))
	}
	return errors.Join(errs...)
}
