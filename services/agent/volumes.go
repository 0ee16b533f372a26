//go:build linux

package agent

import (
	"context"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skerry/skerry/bus/notice"
	"github.com/skerry/skerry/services/agent/env"
	"github.com/skerry/skerry/services/agent/sandbox"
	"github.com/skerry/skerry/services/agent/volume"
)

func (a *agent) newVolumes(src *source) (*volume.Manager, error) {
	images, _ := a.driver.(volume.Images) // a simulated one has none
	return volume.New(volume.Config{
		Images: images,
		Dir:    a.DataDir, Source: src, Drivers: src, Tokens: &tokens{src}, Certificates: &certificates{src, a.Node}, Recorder: a.recorder,
		Node: func() env.Node {
			return env.Node{Name: a.Node, HostIPs: a.node.HostIPs(), Allocatable: a.node.Allocatable()}
		},
		Retry: func(k sandbox.Key) { a.pods.Retry(k) }, Now: time.Now, Log: a.Log, Host: a.Disks, Flex: a.FlexDir,
	})
}

// lookAgain is how often volumes are compared with what they are made of: a notice can be lost.
const lookAgain = 5 * time.Minute

// keepVolumes has volumes follow the objects that they are made of, until ctx ends.
func (a *agent) keepVolumes(ctx context.Context) error {
	conn := a.client.Conn()
	g, ctx := errgroup.WithContext(ctx)
	back := make(chan struct{}, 1)
	defer conn.OnReconnect(func() {
		select {
		case back <- struct{}{}:
		default:
		}
	})()
	g.Go(func() error { return a.volumes.Run(ctx) })
	g.Go(func() error { return notice.Listen(ctx, conn, a.Node, a.volumes.Changed) })
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-back:
			case <-time.After(lookAgain/2 + rand.N(lookAgain)):
			}
			for _, ref := range a.volumes.Objects() {
				a.volumes.Changed(ref)
			}
		}
	})
	return g.Wait()
}

// sweepVolumes removes volumes of pods that are neither ordered nor there.
func (a *agent) sweepVolumes(ctx context.Context) error {
	return a.volumes.Sweep(func() (map[types.UID]bool, error) {
		running, err := a.driver.Pods(ctx)
		if err != nil {
			return nil, err
		}
		needed := map[types.UID]bool{}
		for _, p := range running {
			needed[p.UID] = true
		}
		// After the look: an order that has come since then is in.
		a.orders.addUIDs(needed)
		return needed, nil
	})
}
