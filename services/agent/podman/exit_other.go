//go:build !linux

package podman

import (
	"context"

	"github.com/skerry/skerry/services/agent/sandbox"
)

// exits does nothing: Podman's processes are on another machine, and its events tell.
type exits struct{ onEnd func(id string) }

func (x *exits) watch(sandbox.Key, string, int) {}

func (x *exits) alive(string) bool { return false }

func (x *exits) leave(string) {}

func (x *exits) follow(ctx context.Context, _ func(sandbox.Key)) error {
	<-ctx.Done()
	return ctx.Err()
}
