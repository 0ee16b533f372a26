//go:build linux

package up

import (
	"context"
	"errors"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/skerry/skerry/cli/session"
	"github.com/skerry/skerry/services/agent"
	"github.com/skerry/skerry/services/agent/network"
	"github.com/skerry/skerry/services/agent/podman"
	"github.com/skerry/skerry/services/agent/space"
)

// removing is how many pods are removed at once.
const removing = 8

// removePods removes every pod that an agent made on the Podman at socket, and the
// network that they were on.
func removePods(ctx context.Context, s *session.Session, socket, agentDir string, log *slog.Logger) error {
	d := podman.New(socket, log)
	d.Spaces = space.New(agent.SandboxDir(agentDir), log)
	pods, err := d.Pods(ctx)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(removing)
	for _, p := range pods {
		g.Go(func() error { return d.RemoveSandbox(gctx, p.ID) })
	}
	if err := errors.Join(g.Wait(), d.RemoveNetwork(ctx, network.Name)); err != nil {
		return err
	}
	s.Printf("Removed %d pods.\n", len(pods))
	return nil
}
